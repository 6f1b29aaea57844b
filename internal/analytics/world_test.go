package analytics_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // zones, wherever the tests run

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// now is the instant at which all questions of the tests are asked.
var now = time.Date(2026, 11, 20, 15, 30, 0, 0, time.UTC)

func clock() time.Time { return now }

// A world is made-up pipelines, stored, and all of their rows as they are
// stored, for slow and obvious answers.
type world struct {
	rand      *rand.Rand
	store     *store.Store
	pipelines []*pipelineRow
}

type pipelineRow struct {
	project, ref, refKind, workflow, trigger, state, result string
	projectID, id, created                                  int64
	attempts, late                                          int64
	known, onDefault, restarts                              bool
	commit                                                  string
	wall, active, execution, retry, queue, blocked, gap     *int64
	pathRetry, pathBlocked, pathGap                         *int64
	jobs                                                    []*jobRow
	phases                                                  map[string]phaseRow
}

type jobRow struct {
	key, name, stage, phase, state, result, runnerID, runner, tags, legacy, same, reason, needs string
	attempt                                                                                     int64
	created, started, finished, queue, run                                                      *int64
	pathRun, pathQueue, saves                                                                   *int64
	retried, superseded, manual, allowed, isLate                                                bool
	up, e2e, pull, noPull                                                                       *float64
	steps                                                                                       []stepRow
}

type stepRow struct {
	name, source string
	ms           int64
}

type phaseRow struct{ timeTo, span, work *int64 }

// newWorld stores so many pipelines of three projects, made up from the seed.
func newWorld(t *testing.T, s *store.Store, pipelines int) *world {
	t.Helper()
	w := &world{rand: rand.New(rand.NewPCG(4, uint64(pipelines))), store: s}
	var all []ci.Report
	for id := range pipelines {
		all = append(all, w.reports(int64(id+1))...)
	}
	savePacked(t, s, all)
	w.load(t)
	return w
}

// savePacked saves reports so that some days are packed and others, or rows of
// them, came later.
func savePacked(t *testing.T, s *store.Store, all []ci.Report) {
	t.Helper()
	most := len(all) * 4 / 5
	saveAll(t, s, all[:most])
	pack(t, s)
	saveAll(t, s, all[most:])
	var packed, stale int
	each(t, s, "SELECT count(body), count(*) - count(body) FROM days", func(rows *sql.Rows) error { return rows.Scan(&packed, &stale) })
	if packed == 0 || stale == 0 {
		t.Errorf("%d days are packed and %d are not: the answers prove nothing of the ones or the others", packed, stale)
	}
}

func pack(t *testing.T, s *store.Store) {
	t.Helper()
	if _, err := s.PackDays(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.PackVolumes(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
}

// saveAll saves reports many at a time, so that they share commits.
func saveAll(t *testing.T, s *store.Store, all []ci.Report) {
	t.Helper()
	var wg sync.WaitGroup
	queue := make(chan ci.Report)
	for range 32 {
		wg.Go(func() {
			for r := range queue {
				if _, err := s.Save(context.Background(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, r := range all {
		queue <- r
	}
	close(queue)
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func pick[T any](w *world, from ...T) T { return from[w.rand.IntN(len(from))] }

func (w *world) millis(most int) time.Duration {
	return time.Duration(w.rand.IntN(most)) * time.Millisecond
}

// reports tell of one pipeline: by the API, by POST /save_metrics, or both.
func (w *world) reports(id int64) []ci.Report {
	r := ci.Report{Provider: "gitlab", Project: pick(w, "acme/shop", "acme/shop", "acme/api", "x/it's"), Source: ci.API}
	created := now.Add(-w.millis(75 * 24 * 3600 * 1000))
	r.Pipeline = ci.Pipeline{
		ID: id, Ref: pick(w, "main", "main", "main", "dev", "feature/1"), RefKind: "branch", CreatedAt: created, State: ci.Finished,
		Workflow: pick(w, "", "nightly", "ci"), Trigger: pick(w, "", "push", "schedule"), Commit: strconv.Itoa(100 + w.rand.IntN(40)),
		Result: pick(w, ci.Success, ci.Success, ci.Success, ci.Failure, ci.Cancellation, ""),
	}
	switch w.rand.IntN(20) {
	case 0:
		r.Pipeline.State, r.Pipeline.Result = ci.Running, ""
	case 1:
		r.Pipeline.CreatedAt = time.Time{}
	case 2:
		r.Pipeline.RefKind = "change"
	}
	r.Jobs = w.jobs(id, created)
	if w.rand.IntN(40) == 0 { // nobody told any instant
		r.Pipeline.CreatedAt, r.Jobs = time.Time{}, nil
	}
	legacy := ci.Report{Project: r.Project, Legacy: w.legacy(created, r.Jobs)}
	legacy.Pipeline.ID = id
	switch w.rand.IntN(6) {
	case 0:
		return []ci.Report{legacy}
	case 1:
		return []ci.Report{legacy, r}
	}
	return []ci.Report{r}
}

func (w *world) jobs(pipeline int64, created time.Time) []ci.Attempt {
	var all []ci.Attempt
	at := created.Add(w.millis(5000))
	for _, j := range []struct{ name, stage string }{{"build-e2e", "build"}, {"lint", "build"}, {"e2e", "test"}, {"e2e/2", "test"}, {"unit", "test"}, {"deploy", "deploy"}} {
		if w.rand.IntN(5) == 0 {
			continue
		}
		queued := at
		for try := range 1 + max(0, w.rand.IntN(8)-5) {
			started := queued.Add(w.millis(60_000))
			finished := started.Add(w.millis(400_000) + time.Millisecond)
			a := ci.Attempt{
				ID: fmt.Sprintf("%d%d%d", pipeline, len(all), try), Name: j.name, Stage: j.stage, State: ci.Finished, Result: pick(w, ci.Success, ci.Success, ci.Failure, ""),
				CreatedAt: queued, StartedAt: started, FinishedAt: finished,
				Runner: &ci.Runner{ID: pick(w, "1", "2"), Name: pick(w, "one", "two"), Tags: pick(w, nil, []string{"docker"}, []string{`a"b`, "big"})},
			}
			if w.rand.IntN(3) == 0 {
				a.QueuedS, a.DurationS = new(float64(w.rand.IntN(30000))/1000), new(float64(w.rand.IntN(400000))/1000)
			}
			if w.rand.IntN(6) == 0 {
				a.AllowFailure = new(true)
			}
			if j.name == "deploy" && w.rand.IntN(2) == 0 {
				a.Manual = new(true)
			}
			switch n := (pipeline + int64(len(all))) % 23; {
			case n == 0:
				a.Result = ci.Cancellation
			case n == 1:
				a.Result = ci.Skip
			case a.Result == ci.Failure:
				a.FailureReason = []string{"", "script_failure", "runner_system_failure"}[n%3]
			}
			a.Steps = w.steps()
			all = append(all, a)
			queued = finished.Add(w.millis(10_000))
		}
		if w.rand.IntN(2) == 0 {
			at = queued
		}
	}
	return all
}

func (w *world) steps() []ci.Step {
	var all []ci.Step
	for range w.rand.IntN(4) {
		all = append(all, ci.Step{
			Name: pick(w, "up", "e2e", "a/b"), Source: pick(w, ci.StepsReported, ci.StepsSections, ci.StepsMarkers), DurationS: float64(w.rand.IntN(90000)) / 1000,
		})
	}
	return all
}

func (w *world) legacy(created time.Time, jobs []ci.Attempt) *ci.Legacy {
	e2e := float64(w.rand.IntN(500))
	l := &ci.Legacy{Ref: "main", CreatedAt: created, DurationS: e2e + float64(w.rand.IntN(400)), DurationE2eS: e2e, HasRestarts: new(w.rand.IntN(3) == 0)}
	for _, a := range jobs {
		switch {
		case a.Stage == "build":
			l.Entries = append(l.Entries, ci.LegacyEntry{Kind: ci.LegacyBuild, Name: a.Name, DurationS: new(float64(w.rand.IntN(90)))})
		case a.Stage == "test" && a.Result == ci.Failure:
			l.Entries = append(l.Entries, ci.LegacyEntry{Kind: ci.LegacyFailed, Name: a.Name, StartedAt: a.StartedAt, FinishedAt: a.FinishedAt, DurationS: new(a.FinishedAt.Sub(a.StartedAt).Seconds())})
		case a.Stage == "test":
			l.Entries = append(l.Entries, ci.LegacyEntry{
				Kind: ci.LegacyJob, Name: a.Name, StartedAt: a.StartedAt, FinishedAt: a.FinishedAt, DurationS: new(a.FinishedAt.Sub(a.StartedAt).Seconds()),
				UpS: new(float64(w.rand.IntN(60))), E2eS: new(float64(w.rand.IntN(60))),
			})
		}
	}
	return l
}
