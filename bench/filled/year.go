package filled

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// The projects of [Year]; there are more usual ones, which are alike.
const (
	Busy  = "bench/busy"
	Usual = "bench/usual-0001"
)

const (
	usualInYear = 2400
	busySaved   = 600 // of each project, before they are copied
	usualSaved  = 240
	year        = 365 * 24 * time.Hour
)

// Year fills an empty database with about so many pipelines of a year, ten jobs
// each: busy of them in the project [Busy], the others in usual ones. It tells
// how far it is.
func Year(ctx context.Context, url string, pipelines, busy int64, tell func(string)) error {
	if err := saveTemplates(ctx, url, busy); err != nil {
		return err
	}
	return fill(ctx, url, func(d database) error {
		copies := int(busy / busySaved)
		if err := d.copy(ctx, Busy, copies, year/time.Duration(copies), 0, 0); err != nil {
			return err
		}
		const at = 20 // projects in a transaction
		for from, usual := int64(0), max(0, (pipelines-busy)/usualInYear); from < usual; from += at {
			tell(fmt.Sprintf("%d of %d projects", from, usual))
			if err := d.copy(ctx, Usual, usualInYear/usualSaved, year/(usualInYear/usualSaved), from, min(at, usual-from)); err != nil {
				return err
			}
		}
		tell("packing the days")
		return nil
	})
}

// saveTemplates saves the pipelines that are copied, in the newest part of the
// year.
func saveTemplates(ctx context.Context, url string, busy int64) error {
	s, err := store.Open(ctx, store.Config{Database: url})
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same for each run
	var reports []ci.Report
	for project, n := range map[string]int{Busy: busySaved, Usual: usualSaved} {
		span, first := year/time.Duration(busy/busySaved), int64(0)
		if project == Usual {
			span, first = year/(usualInYear/usualSaved), copyStep/2
		}
		for i := range n {
			at := time.Now().Add(-span * time.Duration(i+1) / time.Duration(n+1))
			reports = append(reports, madeUp(random, project, first+int64(i+1), at.Truncate(time.Millisecond)))
		}
	}
	var wg sync.WaitGroup
	errs := make(chan error, len(reports))
	for _, r := range reports {
		wg.Go(func() {
			_, err := s.Save(ctx, r)
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return s.Close()
}

// madeUp is a pipeline of ten attempts: a check, two builds, six e2e jobs of
// which one may be retried, and a deployment.
func madeUp(random *rand.Rand, project string, id int64, created time.Time) ci.Report {
	r := ci.Report{Provider: "gitlab", Project: project, Source: ci.API, Pipeline: ci.Pipeline{
		ID: id, Workflow: "ci", Ref: "main", RefKind: "branch", DefaultBranch: "main", Commit: strconv.FormatUint(random.Uint64(), 16), Trigger: "push",
		State: ci.Finished, Result: ci.Success, RawStatus: "success", CreatedAt: created,
	}}
	p := &r.Pipeline
	if random.IntN(2) == 0 {
		p.Ref = "topic-" + strconv.Itoa(random.IntN(40))
	}
	seconds := func(usual float64) time.Duration {
		return time.Duration(usual * (0.7 + 0.3*random.ExpFloat64()) * float64(time.Second)).Truncate(time.Millisecond)
	}
	end := created
	add := func(stage, name string, at time.Time, usual float64, result ci.Result) time.Time {
		queue, run := seconds(8), seconds(usual)
		a := ci.Attempt{
			ID: strconv.FormatInt(id*100+int64(len(r.Jobs)), 10), Name: name, Stage: stage, State: ci.Finished, Result: result, RawStatus: string(result),
			CreatedAt: created, QueuedS: new(queue.Seconds()), StartedAt: at.Add(queue), FinishedAt: at.Add(queue + run),
			DurationS: new(run.Seconds()), Runner: &ci.Runner{ID: strconv.Itoa(1 + random.IntN(12)), Name: "runner", Tags: []string{"docker"}},
		}
		if stage == "test" {
			a.Steps = []ci.Step{{Name: "up", DurationS: run.Seconds() / 4}, {Name: "e2e", DurationS: run.Seconds() / 2}}
		}
		r.Jobs = append(r.Jobs, a)
		if a.FinishedAt.After(end) {
			end = a.FinishedAt
		}
		return a.FinishedAt
	}
	add("build", "lint", created, 40, ci.Success)
	add("build", "build-e2e", created, 150, ci.Success)
	add("build", "build-docs", created, 60, ci.Success)
	tests := end.Add(2 * time.Second)
	failed := random.IntN(10)
	for i := range 6 {
		name := "e2e:" + []string{"cart", "checkout", "login", "search", "admin", "mail"}[i]
		if i == failed { // in 6 of 10 pipelines
			failedAt := add("test", name, tests, 200, ci.Failure)
			if random.IntN(4) > 0 {
				r.Jobs[len(r.Jobs)-1].CreatedAt = created
				add("test", name, failedAt, 200, ci.Success)
				r.Jobs[len(r.Jobs)-1].CreatedAt = failedAt
				continue
			}
			p.Result, p.RawStatus = ci.Failure, "failed"
			continue
		}
		add("test", name, tests, 180, ci.Success)
	}
	if p.Result == ci.Success {
		add("deploy", "deploy", end.Add(time.Second), 30, ci.Success)
	}
	p.StartedAt, p.FinishedAt, p.UpdatedAt = created.Add(time.Second), end, end
	return r
}
