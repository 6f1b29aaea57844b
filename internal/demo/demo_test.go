package demo_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the zones below, wherever the tests run

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
)

// friday is a time at which people work.
var friday = time.Date(2026, 11, 20, 15, 30, 0, 0, time.UTC)

func TestTheSameSeedGivesTheSameHistory(t *testing.T) {
	t.Parallel()
	one, two := demo.Generate(7, friday, 20), demo.Generate(7, friday, 20)
	if !reflect.DeepEqual(one, two) {
		t.Errorf("the same arguments give two histories (-one +two):\n%s", cmp.Diff(one, two))
	}
	other := demo.Generate(8, friday, 20)
	if cmp.Equal(one.Reports[0], other.Reports[0]) || one.Planted.Commit == other.Planted.Commit {
		t.Error("another seed gives the same history")
	}
}

// Histories of any seed, zone, hour and length are possible ones; long ones
// are also believable and have what was planted, and nothing else.
func TestHistories(t *testing.T) {
	t.Parallel()
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		seed uint64
		end  time.Time
		days int
	}{
		{1, friday, 60},
		{2, time.Date(2026, 11, 8, 3, 10, 0, 0, newYork), 60}, // a Sunday night, a week after clocks went back
		{3, time.Date(2026, 1, 5, 10, 30, 0, 123456789, time.UTC), 14},
		{4, friday, 1},
	} {
		t.Run(fmt.Sprint("seed ", c.seed), func(t *testing.T) {
			t.Parallel()
			h := demo.Generate(c.seed, c.end, c.days)
			checkReports(t, h, c.end, c.days)
			for _, r := range h.Reports {
				checkTimes(t, r, c.end)
				checkRetries(t, r)
				checkNeeds(t, r)
			}
			checkRunners(t, h, c.end)
			if c.days < 60 {
				return
			}
			checkHabits(t, h, c.end.Location())
			checkVariety(t, h)
			checkSlowDown(t, h)
			checkFlake(t, h)
		})
	}
}

func checkReports(t *testing.T, h demo.History, end time.Time, days int) {
	t.Helper()
	pipelines, attempts := map[string]bool{}, map[string]bool{}
	states := map[ci.State]int{}
	for i, r := range h.Reports {
		if err := r.Validate(); err != nil {
			t.Fatalf("report %d is not valid: %v", i, err)
		}
		if at := r.Pipeline.CreatedAt; at.Before(end.AddDate(0, 0, -days)) || i > 0 && at.Before(h.Reports[i-1].Pipeline.CreatedAt) {
			t.Errorf("report %d was created at %v: too early, or out of order", i, at)
		}
		states[r.Pipeline.State]++
		pipelines[fmt.Sprint(r.Project, r.Pipeline.ID)] = true
		for _, a := range r.Jobs {
			attempts[r.Provider+a.ID] = true
		}
		if len(r.Jobs) == 0 || r.Jobs[0].ID == "" || r.Pipeline.RawStatus == "" || r.Pipeline.URL == "" || len(r.Pipeline.Commit) != 40 {
			t.Errorf("report %d lacks something: %+v", i, r)
		}
	}
	all := 0
	for _, r := range h.Reports {
		all += len(r.Jobs)
	}
	if len(pipelines) != len(h.Reports) || len(attempts) != all {
		t.Errorf("%d ids of %d pipelines, %d ids of %d attempts", len(pipelines), len(h.Reports), len(attempts), all)
	}
	if states[ci.Running] < 2 || states[ci.Queued] < 1 || states[ci.Running]+states[ci.Queued] > 30 {
		t.Errorf("states at the end are %v: want a few pipelines under way", states)
	}
}

// checkTimes holds the order of instants, all of which are past.
func checkTimes(t *testing.T, r ci.Report, end time.Time) {
	t.Helper()
	ordered := func(what string, times ...time.Time) {
		t.Helper()
		times = slices.DeleteFunc(append(times, end), time.Time.IsZero)
		if !slices.IsSortedFunc(times, time.Time.Compare) {
			t.Errorf("%s, %s: out of order: %v", r.Pipeline.URL, what, times)
		}
	}
	p := r.Pipeline
	ordered("pipeline", p.CreatedAt, p.StartedAt, p.FinishedAt, p.UpdatedAt)
	for _, a := range r.Jobs {
		if a.QueuedS != nil {
			ordered("queue of "+a.Name, a.CreatedAt, a.StartedAt.Add(-duration(*a.QueuedS)), a.StartedAt)
		}
		ordered(a.Name, p.CreatedAt, a.CreatedAt, a.StartedAt, a.FinishedAt, p.FinishedAt)
		if a.DurationS != nil && !a.StartedAt.Add(duration(*a.DurationS)).Equal(a.FinishedAt) {
			t.Errorf("%s: %s ran %g s from %v to %v", p.URL, a.Name, *a.DurationS, a.StartedAt, a.FinishedAt)
		}
		from := a.StartedAt
		for _, s := range a.Steps {
			ordered("step "+s.Name, from, s.StartedAt, s.StartedAt.Add(duration(s.DurationS)), a.FinishedAt)
			from = s.StartedAt.Add(duration(s.DurationS))
		}
	}
}

// checkRetries: an attempt begins when the one before it has failed.
func checkRetries(t *testing.T, r ci.Report) {
	t.Helper()
	last := map[string]ci.Attempt{}
	for _, a := range r.Jobs {
		before, retry := last[a.Name]
		if retry && (before.FinishedAt.IsZero() || a.CreatedAt.Before(before.FinishedAt) || before.Result == ci.Success) {
			t.Errorf("%s: %s was retried at %v after %+v", r.Pipeline.URL, a.Name, a.CreatedAt, before)
		}
		last[a.Name] = a
	}
	if r.Pipeline.State != ci.Finished {
		return
	}
	for name, a := range last {
		if a.State == ci.Queued || a.State == ci.Running || r.Pipeline.Result == ci.Success && a.Result != ci.Success && !*a.AllowFailure {
			t.Errorf("%s finished with %s, and its job %s is %s %s", r.Pipeline.URL, r.Pipeline.Result, name, a.State, a.Result)
		}
	}
}

// checkNeeds: a job starts after some attempt of each job it needs passed.
func checkNeeds(t *testing.T, r ci.Report) {
	t.Helper()
	for _, a := range r.Jobs {
		for _, name := range a.Needs {
			if !a.StartedAt.IsZero() && !slices.ContainsFunc(r.Jobs, func(n ci.Attempt) bool {
				return n.Name == name && (n.Result == ci.Success || *n.AllowFailure) && !n.FinishedAt.After(a.StartedAt)
			}) {
				t.Errorf("%s: %s started before %s passed", r.Pipeline.URL, a.Name, name)
			}
		}
	}
}

func duration(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}
