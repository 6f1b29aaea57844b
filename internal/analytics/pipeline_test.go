package analytics_test

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func TestPipelineDetail(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, 320) // more of one project than say what is usual
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		compared := 0
		for n, p := range w.pipelines {
			if n%6 != 0 {
				continue
			}
			f := filter(t, pick(w, "range=60d", "range=7d", "range=1y&ref=@all", "range=1y&ref=@all&workflow=ci&workflow=nightly", "from=2026-10-01&result=all"))
			f.Projects = []string{p.project}
			got, err := a.PipelineDetail(t.Context(), f, p.id)
			if err != nil {
				t.Fatal(err)
			}
			what := p.project + " " + strconv.FormatInt(p.id, 10)
			if shown(&got.Pipeline) != p.shown() {
				t.Errorf("%s: %s, want %s", what, shown(&got.Pipeline), p.shown())
			}
			compareAttempts(t, what, got, p)
			compared += w.compareUsual(t, what, f, got, p)
			if t.Failed() {
				return
			}
		}
		if compared < 200 {
			t.Errorf("only %d values say what is usual", compared)
		}
		if _, err := a.PipelineDetail(t.Context(), filter(t, "project=acme/shop"), 12345); !errors.Is(err, store.ErrUnknown) {
			t.Errorf("no such pipeline: %v", err)
		}
	})
}

// compareAttempts holds the attempts and their steps against the rows, and the
// critical path against the wall time.
func compareAttempts(t *testing.T, what string, got *analytics.PipelineAnswer, p *pipelineRow) {
	t.Helper()
	rows := map[string]*jobRow{}
	for _, j := range p.jobs {
		if !j.superseded {
			rows[j.key] = j
		}
	}
	if len(rows) != len(got.Jobs) {
		t.Errorf("%s: %d attempts, want %d", what, len(got.Jobs), len(rows))
		return
	}
	path := 0.0
	for i := range got.Jobs {
		g, j := &got.Jobs[i], rows[got.Jobs[i].AttemptKey]
		if g.Job != j.name || maybe(g.DurationS) != maybe(inSeconds(j.run)) || maybe(g.QueueS) != maybe(inSeconds(j.queue)) || maybe(g.SavesS) != maybe(inSeconds(j.saves)) ||
			g.IsRetried != j.retried || g.IsLate != j.isLate || maybe(g.PathRunS) != maybe(inSeconds(j.pathRun)) {
			t.Errorf("%s: %+v, want %+v", what, g, j)
		}
		if on := slices.Contains(got.Path, g.AttemptKey); on != (j.pathRun != nil) {
			t.Errorf("%s: %s is on the path: %v", what, g.AttemptKey, on)
		}
		if j.pathRun != nil {
			path += *g.PathRunS + *g.PathQueueS
		}
		for _, name := range []string{"up", "e2e", "a/b"} {
			sums := map[string]float64{}
			for _, s := range g.Steps {
				if s.Step == name {
					sums[s.Source] += s.DurationS
				}
			}
			first := cmp.Or(sums["report"], sums["sections"], sums["markers"], sums["legacy"])
			if want := j.step(p, name); want != nil && !same(first, float64(*want)/1000) {
				t.Errorf("%s: step %s of %s took %v, want %v", what, name, g.AttemptKey, sums, *want)
			}
		}
	}
	if got.WallS != nil && got.PathGapS != nil {
		if path += *got.PathRetryS + *got.PathBlockedS + *got.PathGapS; !same(path, *got.WallS) {
			t.Errorf("%s: the critical path adds up to %v, want %v", what, path, *got.WallS)
		}
		if sum := *got.ExecutionS + *got.RetryS + *got.QueueS + *got.BlockedS + *got.GapS; !same(sum, *got.WallS) {
			t.Errorf("%s: the parts add up to %v, want %v", what, sum, *got.WallS)
		}
	}
}

// compareUsual holds what is usual against the pipelines before.
func (w *world) compareUsual(t *testing.T, what string, f analytics.Filter, got *analytics.PipelineAnswer, p *pipelineRow) (values int) {
	t.Helper()
	window := f.Window
	if f.Range != "" {
		created := time.UnixMilli(p.created)
		window = analytics.Window{From: created.Add(-f.Window.To.Sub(f.Window.From)), To: created}
	}
	if len(f.Workflows) == 0 && p.workflow != "" {
		f.Workflows = []string{p.workflow}
	}
	var before []*pipelineRow
	for _, o := range w.pipelines {
		if o != p && o.active != nil && counts(&f, window, o) && resulted(&f, "ok", o.state, o.result) {
			before = append(before, o)
		}
	}
	slices.SortFunc(before, func(a, b *pipelineRow) int {
		return -cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id))
	})
	before = before[:min(len(before), 200)]
	var took []sample
	jobs := map[string][]sample{}
	less := 0.0
	for _, o := range before {
		took = append(took, sample{s: float64(*o.active) / 1000})
		if p.active != nil && *o.active < *p.active {
			less++
		}
		for _, j := range o.jobs {
			if !j.superseded && j.run != nil && j.state == "finished" && (j.result == "" || j.result == "success") {
				jobs[j.name] = append(jobs[j.name], sample{s: float64(*j.run) / 1000})
			}
		}
	}
	fractions := []float64{0.05, 0.5, 0.8, 0.95}
	compareSummary(t, what+" usual", fractions, &got.Usual.Summary, took)
	if want := less / float64(len(before)); len(before) > 0 && p.active != nil && (got.Usual.SlowerThan == nil || !same(*got.Usual.SlowerThan, want)) {
		t.Errorf("%s: slower than %v, want %v", what, got.Usual.SlowerThan, want)
	}
	for i := range got.Jobs {
		compareSummary(t, what+" usual of "+got.Jobs[i].Job, fractions, &got.Jobs[i].Usual, jobs[got.Jobs[i].Job])
		values += len(jobs[got.Jobs[i].Job])
	}
	return values
}
