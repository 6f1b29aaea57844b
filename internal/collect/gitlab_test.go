package collect_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab/gitlabtest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// soak is a count of `make test`, or the full one.
func soak(some, full int) int {
	if os.Getenv("PMC_SOAK") == "1" {
		return full
	}
	return some
}

// A stillClock stands still but for those who sleep by it.
type stillClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stillClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stillClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// A lab is a GitLab of the tests and what reads it.
type lab struct {
	*gitlabtest.Server

	clock    *stillClock
	client   *gitlab.Client
	projects []gitlab.Project
}

func newLab(t *testing.T, w *gitlabtest.World, faults gitlabtest.Faults) *lab {
	t.Helper()
	l := &lab{clock: &stillClock{now: time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)}}
	l.Server = gitlabtest.Serve(t, w, faults, l.clock.Now)
	c, err := gitlab.NewClient(l.URL, gitlabtest.Token, rest.Config{Rate: 1e6, Burst: 1e6, Timeout: 500 * time.Millisecond, Now: l.clock.Now, Sleep: l.clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	l.client = c
	t.Cleanup(c.CloseIdle)
	for p, err := range c.GroupProjects(t.Context(), "acme") {
		if err != nil {
			t.Fatal(err)
		}
		l.projects = append(l.projects, p)
	}
	return l
}

// backfill reads all of the GitLab, or stops after some pipelines.
func (l *lab) backfill(ctx context.Context, marks collect.Marks, save func(context.Context, []ci.Report) error, stopAfter int) (collect.Tally, error) {
	memory := &collect.Memory{Marks: marks, Name: "all of acme", Since: gitlabtest.Epoch.Add(-time.Hour), Now: l.clock.Now}
	g := &collect.GitLab{Client: l.client, Projects: l.projects, Since: memory.Begin}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := 0
	b := &collect.Backfill{
		Items: g.Changed(ctx), Save: save, Mark: memory.Mark, Missing: collect.Missing, Concurrency: 4, MarkEvery: time.Nanosecond, Now: l.clock.Now,
		Progress: func(collect.Item, error) {
			if done++; done == stopAfter {
				stop()
			}
		},
	}
	tally, err := b.Run(ctx)
	if err == nil {
		err = memory.End(ctx)
	}
	return tally, err
}

var resultOf = map[string]ci.Result{"success": ci.Success, "failed": ci.Failure, "canceled": ci.Cancellation}

// truly is the ledger as it should be: a line for each attempt.
func truly(w *gitlabtest.World) (lines []string) {
	for _, p := range w.Projects {
		for _, pl := range p.Pipelines {
			for _, j := range pl.Jobs {
				result := resultOf[j.Status]
				if j.Reason == "runner_system_failure" {
					result = ci.Error
				}
				queue, run := any(nil), any(nil)
				if !j.Started.IsZero() {
					queue, run = int64(math.Round(1000*j.Queued)), int64(math.Round(1000*j.Duration()))
				}
				lines = append(lines, fmt.Sprint(p.Path, " ", pl.ID, " #", j.ID, " ", j.Name, " ", j.Stage, " ", j.Number, j.Retried, " ", j.Status, " ", result, " ",
					millis(j.Created), millis(j.Started), millis(j.Finished), queue, run, " ", j.Runner, j.Environment))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func ledger(t *testing.T, s *store.Store, w *gitlabtest.World) (lines []string) {
	t.Helper()
	for _, r := range tableOf(t, s, w, `SELECT p.name, j.pipeline_id, j.attempt_key, j.name, j.stage, j.attempt, j.is_retried, j.raw_status, COALESCE(j.result, ''),
		j.created_ms, j.started_ms, j.finished_ms, j.queue_ms, j.run_ms, COALESCE(j.runner_name, ''), COALESCE(j.environment, '')
		FROM jobs j JOIN projects p ON p.id = j.project_id WHERE j.stage IS NOT NULL`) {
		retried := r[6] == true || r[6] == int64(1)
		lines = append(lines, fmt.Sprint(r[0], " ", r[1], " ", r[2], " ", r[3], " ", r[4], " ", r[5], retried, " ", r[7], " ", r[8], " ", r[9], r[10], r[11], r[12], r[13], " ", r[14], r[15]))
	}
	slices.Sort(lines)
	return lines
}

// tableOf are the rows of a query that are of the world's projects, by the
// first column.
func tableOf(t *testing.T, s *store.Store, w *gitlabtest.World, query string) [][]any {
	t.Helper()
	return slices.DeleteFunc(storetest.Table(t, s, query), func(row []any) bool {
		return !slices.ContainsFunc(w.Projects, func(p *gitlabtest.Project) bool { return p.Path == row[0] })
	})
}

// A failer is told what is wrong.
type failer interface {
	Errorf(format string, args ...any)
}

// complete compares all that is stored of the world with the truth, and tells
// the failer what differs.
func complete(f failer, t *testing.T, s *store.Store, w *gitlabtest.World) {
	t.Helper()
	if diff := gocmp.Diff(truly(w), ledger(t, s, w)); diff != "" {
		f.Errorf("attempts (-want +got):\n%.3000s", diff)
	}
	var want, got []string
	for _, p := range w.Projects {
		for _, pl := range p.Pipelines {
			parent := any(nil)
			if pl.Parent != nil {
				parent = fmt.Sprint(pl.Parent.Project.Path, pl.Parent.ID, " ", pl.ParentJob)
			}
			want = append(want, fmt.Sprint(p.Path, " ", pl.ID, " finished ", resultOf[pl.Status], " ", millis(pl.Created), millis(pl.Started), millis(pl.Finished), " ", pl.SHA, " ", parent, " ", len(pl.Jobs)))
		}
	}
	for _, r := range tableOf(t, s, w, `SELECT p.name, l.id, l.state, l.result, l.created_ms, l.started_ms, l.finished_ms, l.commit_sha, l.parent_project, l.parent_pipeline_id, l.parent_job_id, l.attempts
		FROM pipelines l JOIN projects p ON p.id = l.project_id WHERE l.external_id IS NULL`) {
		parent := any(nil)
		if r[8] != nil {
			parent = fmt.Sprint(r[8], r[9], " ", r[10])
		}
		got = append(got, fmt.Sprint(r[0], " ", r[1], " ", r[2], " ", r[3], " ", r[4], r[5], r[6], " ", r[7], " ", parent, " ", r[11]))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		f.Errorf("pipelines (-want +got):\n%.3000s", diff)
	}
	want, got = nil, nil
	for _, p := range w.Projects {
		for _, d := range p.Deployments {
			want = append(want, fmt.Sprint(p.Path, " deployment/", d.ID, " ", d.SHA, " ", d.Environment, " ", d.Status, d.Finished.UnixMilli()))
		}
	}
	for _, r := range tableOf(t, s, w, `SELECT p.name, l.external_id, l.commit_sha, j.environment, j.raw_status, j.finished_ms
		FROM pipelines l JOIN projects p ON p.id = l.project_id JOIN jobs j ON j.project_id = l.project_id AND j.pipeline_id = l.id WHERE l.external_id IS NOT NULL`) {
		got = append(got, fmt.Sprint(r[0], " ", r[1], " ", r[2], " ", r[3], " ", r[4], r[5]))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		f.Errorf("%d deployments without a job (-want +got):\n%.3000s", len(want), diff)
	}
}

// sendWebhooks hands webhooks to the inbox as they would come in the worst case: a
// third is lost, some come twice, all come in any order.
func sendWebhooks(t *testing.T, s *store.Store, all []gitlabtest.Delivery) {
	t.Helper()
	order := rand.New(rand.NewPCG(1, 2))
	var come []gitlabtest.Delivery
	for _, d := range all {
		for range []int{0, 0, 1, 1, 1, 2}[order.IntN(6)] {
			come = append(come, d)
		}
	}
	order.Shuffle(len(come), func(i, j int) { come[i], come[j] = come[j], come[i] })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	in := &collect.Inbox{Store: s, Parse: collect.ParseDelivery, Log: slog.New(slog.DiscardHandler)}
	go func() { in.Run(ctx); close(done) }()
	defer func() { stop(); <-done }()
	places := make(chan struct{}, 64)
	var wg sync.WaitGroup
	for _, d := range come {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if err := s.Receive(ctx, store.Delivery{Provider: "gitlab", Key: d.Key, Event: d.Event, Body: d.Body}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	waitFor(t, s, "SELECT count(*) FROM deliveries WHERE state = 'waiting'", 0)
	waitFor(t, s, "SELECT count(*) FROM deliveries WHERE state <> 'done' AND reason <> 'it tells of a job that is not here'", 0)
}

// After webhooks of which many are lost, and a backfill of a GitLab that limits,
// fails and hangs, interrupted and resumed, all that GitLab has is stored as it
// is there.
func TestSoakWebhooksAndBackfill(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		n := soak(50, 5000)
		w := gitlabtest.Generate(7, n)
		l := newLab(t, w, gitlabtest.Faults{ErrorEvery: 41, BreakEvery: 53, HangEvery: n + 23, Limit: 60, Window: time.Minute})
		sendWebhooks(t, s, l.Deliveries())
		began := l.clock.Now()
		first, err := l.backfill(t.Context(), s, collect.SaveIn(s), n/2)
		if !errors.Is(err, context.Canceled) {
			t.Fatal(first, err)
		}
		second, err := l.backfill(t.Context(), s, collect.SaveIn(s), 0)
		if err != nil || second.Missed != 0 {
			t.Fatal(second, err)
		}
		// Read twice is what came after one that was under way, however slow.
		if twice := first.Pipelines + second.Pipelines - n; twice < 0 || twice > 20 {
			t.Errorf("%d, then %d of %d pipelines were read: it did not go on where it was", first.Pipelines, second.Pipelines, n)
		}
		complete(t, t, s, w)
		all, byRoute := l.Requests()
		t.Logf("%d pipelines, %d requests, %.2f a pipeline, %+v, %v of the clock at 60 a minute; %v", n, all, float64(all)/float64(n), l.client.Counts(), l.clock.Now().Sub(began).Round(time.Second), byRoute)
		if counts := l.client.Counts(); counts.Retried == 0 || float64(all) > 3.3*float64(n)+150 {
			t.Errorf("%d requests for %d pipelines, %+v", all, n, counts)
		}
		// A third time reads again what is given, and changes nothing.
		if _, err := l.backfill(t.Context(), s, collect.SaveIn(s), 0); err != nil {
			t.Fatal(err)
		}
		complete(t, t, s, w)
	})
}

// What fails for one pipeline does not stop the others; what fails for all
// does, and what was saved is remembered.
func TestBackfillFailures(t *testing.T) {
	t.Parallel()
	w := gitlabtest.Generate(9, 30)
	l := newLab(t, w, gitlabtest.Faults{})
	marks := collect.MarksFile{Path: filepath.Join(t.TempDir(), "marks.json")}
	var mu sync.Mutex
	saved := map[int64]bool{}
	refuse := func(err error, id int64) func(context.Context, []ci.Report) error {
		return func(_ context.Context, reports []ci.Report) error {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range reports {
				if len(r.Jobs) == 0 || r.Pipeline.RawStatus == "" {
					continue // told by the way
				}
				if r.Pipeline.ID == id {
					return err
				}
				saved[r.Pipeline.ID] = true
			}
			return nil
		}
	}
	broken := w.Projects[0].Pipelines[3]
	tally, err := l.backfill(t.Context(), marks, refuse(errors.New("the disk is full"), broken.ID), 0)
	if err == nil || err.Error() != "the disk is full" {
		t.Fatal(tally, err)
	}
	before := len(saved)
	tally, err = l.backfill(t.Context(), marks, refuse(&ci.InvalidError{}, broken.ID), 0)
	if err != nil || tally.Missed != 1 || tally.First == nil || saved[broken.ID] || tally.Pipelines+before < 29 {
		t.Errorf("%+v %v, %d before", tally, err, before)
	}
	for _, p := range w.Projects {
		for _, pl := range p.Pipelines {
			if pl != broken && !saved[pl.ID] {
				t.Errorf("pipeline %d is not saved", pl.ID)
			}
		}
	}
	text, err := os.ReadFile(marks.Path)
	if err != nil || strings.Count(string(text), "Through") != 10 || strings.Contains(string(text), gitlabtest.Token) {
		t.Errorf("%s %v", text, err)
	}
}

// Where a list begins.
func TestMemory(t *testing.T) {
	t.Parallel()
	day := func(d, h int) time.Time { return time.Date(2026, 11, d, h, 0, 0, 0, time.UTC) }
	now := day(20, 12)
	for name, c := range map[string]struct {
		kept  *store.Backfill
		since time.Time
		want  time.Time
	}{
		"first":                      {nil, time.Time{}, now.Add(-collect.FirstSince)},
		"first, since":               {nil, day(3, 0), day(3, 0)},
		"interrupted":                {&store.Backfill{Since: day(1, 0), Through: day(9, 0), Started: day(19, 0)}, time.Time{}, day(9, 0)},
		"interrupted at once":        {&store.Backfill{Since: day(1, 0), Started: day(19, 0)}, time.Time{}, day(1, 0)},
		"interrupted, since later":   {&store.Backfill{Since: day(1, 0), Through: day(9, 0), Started: day(19, 0)}, day(2, 0), day(9, 0)},
		"interrupted, since earlier": {&store.Backfill{Since: day(3, 0), Through: day(9, 0), Started: day(19, 0)}, day(2, 0), day(2, 0)},
		"finished":                   {&store.Backfill{Since: day(1, 0), Through: day(9, 0), Started: day(19, 0), Finished: day(19, 1)}, time.Time{}, day(18, 23)},
		"finished, since":            {&store.Backfill{Since: day(1, 0), Through: day(9, 0), Started: day(19, 0), Finished: day(19, 1)}, day(3, 0), day(3, 0)},
	} {
		marks := collect.MarksFile{Path: filepath.Join(t.TempDir(), "marks.json")}
		if c.kept != nil {
			c.kept.Name = "list"
			if err := marks.SetBackfill(t.Context(), *c.kept); err != nil {
				t.Fatal(err)
			}
		}
		m := &collect.Memory{Marks: marks, Since: c.since, Now: func() time.Time { return now }}
		for range 2 {
			if got, err := m.Begin(t.Context(), "list"); err != nil || !got.Equal(c.want) {
				t.Errorf("%s: %v %v, want %v", name, got, err, c.want)
			}
		}
	}
	bad := filepath.Join(t.TempDir(), "marks.json")
	if err := os.WriteFile(bad, []byte("listen: x"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &collect.Memory{Marks: collect.MarksFile{Path: bad}, Now: time.Now}
	if _, err := m.Begin(t.Context(), "list"); err == nil {
		t.Error("a file of something else is taken")
	}
}

// Single pipelines bring their children along; pages have the newest first.
func TestSinglePipelinesAndPages(t *testing.T) {
	t.Parallel()
	w := gitlabtest.Generate(11, 60)
	l := newLab(t, w, gitlabtest.Faults{})
	var parent *gitlabtest.Pipeline
	var project gitlab.Project
	for i, p := range w.Projects {
		for _, pl := range p.Pipelines {
			if pl.Source == "parent_pipeline" {
				parent, project = pl.Parent, l.projects[i]
			}
		}
	}
	ids := func(items func() *collect.Backfill) (all []int64) {
		b := items()
		b.Missing, b.Now = collect.Missing, time.Now
		b.Save = func(_ context.Context, reports []ci.Report) error {
			for _, r := range reports {
				if len(r.Jobs) > 0 {
					all = append(all, r.Pipeline.ID)
				}
			}
			return nil
		}
		if tally, err := b.Run(t.Context()); err != nil || tally.Missed != 0 {
			t.Error(tally, err)
		}
		return all
	}
	one := &collect.GitLab{Client: l.client, Projects: []gitlab.Project{project}}
	got := ids(func() *collect.Backfill { return &collect.Backfill{Items: one.Pipelines([]int64{parent.ID})} })
	if len(got) != 2 || got[0] != parent.ID {
		t.Errorf("%v, want %d and its child", got, parent.ID)
	}
	one.Statuses = []string{"failed"}
	got = ids(func() *collect.Backfill { return &collect.Backfill{Items: one.Page(t.Context(), 1, 3)} })
	failed := slices.DeleteFunc(slices.Clone(w.Projects[slices.IndexFunc(l.projects, func(p gitlab.Project) bool { return p.ID == project.ID })].Pipelines),
		func(p *gitlabtest.Pipeline) bool { return p.Status != "failed" || p.Source == "parent_pipeline" })
	slices.SortFunc(failed, func(a, b *gitlabtest.Pipeline) int { return cmp.Compare(b.ID, a.ID) })
	var want []int64
	for _, p := range failed[:min(3, len(failed))] {
		want = append(want, p.ID)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Logs are read of the jobs that the project's own phases ask for, by a phase
// of jobs called e2e or by one of steps; of projects without, by the server's.
func TestLogsByThePhasesOfTheProject(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := gitlabtest.Generate(11, 30)
		l := newLab(t, w, gitlabtest.Faults{})
		own := ci.Settings{Phases: ci.Phases{{Name: "e2e", Jobs: []string{"unit"}}, {Name: "data", Jobs: []string{"lint"}, Steps: []string{"get_*"}}}}
		if _, err := s.Save(t.Context(), ci.Report{Project: "acme/shop", Pipeline: ci.Pipeline{ID: 1}}); err != nil {
			t.Fatal(err)
		}
		p, err := s.Project(t.Context(), "acme/shop")
		if err == nil {
			err = s.SetSettings(t.Context(), p, own)
		}
		if err != nil {
			t.Fatal(err)
		}
		g := &collect.GitLab{Client: l.client, Projects: l.projects, Since: func(context.Context, string) (time.Time, error) { return time.Time{}, nil }}
		g.Phases = func(ctx context.Context, project string) (ci.Phases, error) {
			by, err := s.DefinitionsOf(ctx, project)
			return by.Phases, err
		}
		b := &collect.Backfill{
			Items: g.Changed(t.Context()), Save: collect.SaveIn(s), Missing: collect.Missing, Now: time.Now,
			Mark: func(context.Context, string, time.Time, bool) error { return nil },
		}
		if tally, err := b.Run(t.Context()); err != nil || tally.Missed > 0 {
			t.Fatal(tally, err)
		}
		var got []string
		for _, r := range storetest.Table(t, s, `SELECT DISTINCT p.name, j.name FROM steps t JOIN jobs j ON j.project_id = t.project_id AND j.pipeline_id = t.pipeline_id AND j.attempt_key = t.attempt_key
			JOIN projects p ON p.id = t.project_id WHERE p.name <> 'acme/infra' ORDER BY 1, 2`) {
			got = append(got, fmt.Sprint(r...))
		}
		want := []string{"acme/pay/apie2e:cart", "acme/pay/apie2e:checkout", "acme/pay/apilint", "acme/shoplint", "acme/shopunit"}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
