package demo_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
)

// checkSlowDown: the planted slow-down fires the rule "got slower?", in its
// job, its step and what they are part of, and nothing else fires. That is for
// the seeds of the test: in one history of 300 that were tried, chance alone
// made pipelines (no job) slow three times in a row.
func checkSlowDown(t *testing.T, h demo.History) {
	t.Helper()
	p, all := h.Planted, series(h)
	for k, points := range all {
		limit := jobFloor
		if k[1] == "pipeline" {
			limit = pipelineFloor
		}
		for _, at := range fires(points, limit) {
			if !part(k, p) || at.at.Before(p.Since) {
				t.Errorf("%v fires at %v, with %g s", k, at.at, at.seconds)
			}
		}
	}
	for _, k := range [][3]string{{p.Project, "job", p.Job}, {p.Project, "step", p.Job + "/" + p.Step}} {
		checkFound(t, h, all[k], k)
	}
}

// part says whether a series is of the planted job, its step or its pipeline.
func part(k [3]string, p demo.Planted) bool {
	return k == [3]string{p.Project, "job", p.Job} || k == [3]string{p.Project, "step", p.Job + "/" + p.Step} ||
		k[0] == p.Project && k[1] == "pipeline"
}

// checkFound: the rule fires for a series when three slow values are there, the
// first of which is the planted commit's.
func checkFound(t *testing.T, h demo.History, points []point, k [3]string) {
	t.Helper()
	first := slices.IndexFunc(points, func(p point) bool { return !p.at.Before(h.Planted.Since) })
	if first < baseline || len(points)-first < 2*baseline || points[first].commit != h.Planted.Commit {
		t.Fatalf("%v: the planted commit is number %d of %d", k, first, len(points))
	}
	before, after := median(seconds(points[:first])), median(seconds(points[first:]))
	if after < before*1.4 || after-before < 2*jobFloor {
		t.Errorf("%v: median %g s before and %g s after: want a rise that nobody can miss", k, before, after)
	}
	if fired := fires(points, jobFloor); len(fired) == 0 || fired[0].at.After(points[first+recent-1].at) {
		t.Errorf("%v does not fire by the third slow one", k)
	}
}

// A point is one value of a series.
type point struct {
	at      time.Time // creation of the pipeline
	commit  string
	seconds float64
}

// The figures of the rule "got slower?".
const (
	recent, baseline, least = 3, 24, 8
	rise                    = 1.25
	jobFloor, pipelineFloor = 30.0, 60.0 // seconds
)

// fires lists the points at which the rule fires for a series.
func fires(series []point, floor float64) []point {
	var fired []point
	for i := least + recent; i <= len(series); i++ {
		now := seconds(series[i-recent : i])
		before := median(seconds(series[max(0, i-recent-baseline) : i-recent]))
		rose := median(now)
		if slices.Min(now) > before && rose >= before*rise && rose-before >= floor {
			fired = append(fired, series[i-1])
		}
	}
	return fired
}

// series collects what the rule looks at on the default branch: run times of
// jobs and steps, and of pipelines the wall time, the time to e2e and the
// span of e2e. The key is project, kind and name.
func series(h demo.History) map[[3]string][]point {
	found := map[[3]string][]point{}
	for _, r := range h.Reports {
		if r.Pipeline.Ref != "main" {
			continue
		}
		add := func(kind, name string, s float64) {
			k := [3]string{r.Project, kind, name}
			found[k] = append(found[k], point{r.Pipeline.CreatedAt, r.Pipeline.Commit, s})
		}
		for _, a := range r.Jobs {
			if a.Result != ci.Success {
				continue
			}
			add("job", a.Name, *a.DurationS)
			for _, s := range a.Steps {
				add("step", a.Name+"/"+s.Name, s.DurationS)
			}
		}
		if r.Pipeline.Result != ci.Success {
			continue
		}
		add("pipeline", "wall", wall(r))
		if first, last, ok := e2e(r); ok {
			add("pipeline", "time_to_e2e", first.Sub(r.Pipeline.CreatedAt).Seconds())
			add("pipeline", "e2e", last.Sub(first).Seconds())
		}
	}
	return found
}

// wall is creation to the end of the first pass, in seconds.
func wall(r ci.Report) float64 {
	firsts := map[string]time.Time{}
	for _, a := range byFinish(r.Jobs) {
		if _, ok := firsts[a.Name]; !ok {
			firsts[a.Name] = a.FinishedAt
		}
	}
	end := r.Pipeline.CreatedAt
	for _, t := range firsts {
		end = later(end, t)
	}
	for _, a := range byFinish(r.Jobs) {
		if !a.CreatedAt.After(end.Add(time.Minute)) {
			end = later(end, a.FinishedAt)
		}
	}
	return end.Sub(r.Pipeline.CreatedAt).Seconds()
}

// byFinish lists the attempts that ran and that no person started.
func byFinish(jobs []ci.Attempt) []ci.Attempt {
	ran := slices.DeleteFunc(slices.Clone(jobs), func(a ci.Attempt) bool {
		return *a.Manual || a.StartedAt.IsZero() || a.FinishedAt.IsZero()
	})
	slices.SortStableFunc(ran, func(a, b ci.Attempt) int { return a.FinishedAt.Compare(b.FinishedAt) })
	return ran
}

// e2e is the first start and the last finish of the jobs of phase e2e.
func e2e(r ci.Report) (first, last time.Time, ok bool) {
	for _, a := range byFinish(r.Jobs) {
		if a.Stage != "test" || slices.Contains([]string{"unit", "coverage", "e2e-lint"}, a.Name) {
			continue
		}
		if !ok || a.StartedAt.Before(first) {
			first, ok = a.StartedAt, true
		}
		last = later(last, a.FinishedAt)
	}
	return first, last, ok
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func seconds(points []point) []float64 {
	s := make([]float64, 0, len(points))
	for _, p := range points {
		s = append(s, p.seconds)
	}
	return s
}

// median is the middle one, or the mean of the two in the middle.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
