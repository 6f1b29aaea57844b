package demo_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
)

// A shift is an attempt on a runner.
type shift struct {
	from, to time.Time
}

// A machine is a runner and all that it ran.
type machine struct {
	protected bool
	shifts    []shift
}

// machines lists the runners of each project.
func machines(h demo.History, end time.Time) map[string]map[string]*machine {
	all := map[string]map[string]*machine{}
	for _, r := range h.Reports {
		if all[r.Project] == nil {
			all[r.Project] = map[string]*machine{}
		}
		for _, a := range r.Jobs {
			if a.Runner == nil {
				continue
			}
			m := all[r.Project][a.Runner.ID]
			if m == nil {
				m = &machine{protected: slices.Contains(a.Runner.Tags, "protected")}
				all[r.Project][a.Runner.ID] = m
			}
			s := shift{a.StartedAt, a.FinishedAt}
			if s.to.IsZero() {
				s.to = end
			}
			m.shifts = append(m.shifts, s)
		}
	}
	return all
}

// checkRunners: a runner runs one attempt at a time, protected ones none of a
// change, and a job waits only while all runners open to every job are taken.
func checkRunners(t *testing.T, h demo.History, end time.Time) {
	t.Helper()
	all := machines(h, end)
	for _, project := range all {
		for id, m := range project {
			slices.SortFunc(m.shifts, func(a, b shift) int { return a.from.Compare(b.from) })
			for i := 1; i < len(m.shifts); i++ {
				if m.shifts[i].from.Before(m.shifts[i-1].to) {
					t.Errorf("runner %s runs two attempts at %v", id, m.shifts[i].from)
				}
			}
		}
	}
	const look = 25 * time.Second // a runner takes a job this long before it starts, at most
	idle, waits := 0, 0
	for _, r := range h.Reports {
		for _, a := range r.Jobs {
			if a.Runner != nil && r.Pipeline.RefKind == "change" && all[r.Project][a.Runner.ID].protected {
				t.Errorf("%s ran on the protected runner %s", a.URL, a.Runner.Name)
			}
			if a.QueuedS == nil || *a.QueuedS < 2*look.Seconds() {
				continue
			}
			waits++
			ready := a.StartedAt.Add(-duration(*a.QueuedS))
			if when := ready.Add(a.StartedAt.Sub(ready)/2 - look/2); someIdle(all[r.Project], when, look) {
				idle++
			}
		}
	}
	if idle > waits/100 { // a runner that comes for a job just cancelled leaves no trace
		t.Errorf("in %d of %d waits some runner was idle", idle, waits)
	}
}

// someIdle says whether a runner that takes all jobs had none at the time.
func someIdle(project map[string]*machine, when time.Time, look time.Duration) bool {
	for _, m := range project {
		next, _ := slices.BinarySearchFunc(m.shifts, when.Add(look), func(s shift, t time.Time) int { return s.from.Compare(t) })
		if !m.protected && (next == 0 || m.shifts[next-1].to.Before(when)) {
			return true
		}
	}
	return false
}

// checkHabits: people work on weekdays, and queue at peaks.
func checkHabits(t *testing.T, h demo.History, zone *time.Location) {
	t.Helper()
	weekend, nights := 0, 0
	var peak, calm []float64
	for _, r := range h.Reports {
		at := r.Pipeline.CreatedAt.In(zone)
		if day := at.Weekday(); r.Pipeline.Trigger == "schedule" {
			nights++
			if at.Hour() != 2 {
				t.Errorf("a schedule ran at %v", at)
			}
			continue
		} else if day == time.Saturday || day == time.Sunday {
			weekend++
		}
		for _, a := range r.Jobs {
			switch h := a.StartedAt.In(zone).Hour(); {
			case a.QueuedS == nil:
			case h == 10, h == 14, h == 15:
				peak = append(peak, *a.QueuedS)
			case h < 10, h == 12, h == 13, h > 16:
				calm = append(calm, *a.QueuedS)
			}
		}
	}
	if weekend == 0 || weekend > len(h.Reports)/20 {
		t.Errorf("%d of %d pipelines on weekends, want few", weekend, len(h.Reports))
	}
	if nights != 3*60 {
		t.Errorf("%d scheduled pipelines in 60 nights of 3 projects", nights)
	}
	if mean(peak) < 30 || mean(peak) < 3*mean(calm) {
		t.Errorf("jobs wait %g s at peaks and %g s at other hours", mean(peak), mean(calm))
	}
}

// checkFlake: every job meets an error of its runner now and then and passes
// on the same commit afterwards; that is noise. One job alone fails and passes
// by itself, and it stands out when errors are counted as failures too.
func checkFlake(t *testing.T, h demo.History) {
	t.Helper()
	type job struct{ project, name string }
	type commit struct {
		job
		sha string
	}
	passed, failed, erred := map[commit]bool{}, map[commit]bool{}, map[commit]bool{}
	for _, r := range h.Reports {
		for _, a := range r.Jobs {
			c := commit{job{r.Project, a.Name}, r.Pipeline.Commit}
			passed[c] = passed[c] || a.Result == ci.Success
			failed[c] = failed[c] || a.Result == ci.Failure || a.Result == ci.Timeout
			erred[c] = erred[c] || a.Result == ci.Error
		}
	}
	commits, flakes := map[job]float64{}, map[job]float64{}
	planted := job{h.Planted.FlakyProject, h.Planted.FlakyJob}
	for c := range passed {
		if passed[c] || failed[c] {
			commits[c.job]++
		}
		if passed[c] && (failed[c] || erred[c]) {
			flakes[c.job]++
		}
		if passed[c] && failed[c] && c.job != planted {
			t.Errorf("%v failed and passed", c)
		}
	}
	if rate := flakes[planted] / commits[planted]; rate < 0.03 || rate > 0.12 {
		t.Errorf("the flaky job flakes on %g of %g commits", flakes[planted], commits[planted])
	}
	delete(flakes, planted)
	for j, n := range flakes {
		if n > 2 && n/commits[j] > 0.02 {
			t.Errorf("%v flakes on %g of %g commits, want noise", j, n, commits[j])
		}
	}
}

// checkVariety: everything that a dashboard can show happens somewhere.
func checkVariety(t *testing.T, h demo.History) {
	t.Helper()
	seen := map[string]int{}
	for _, r := range h.Reports {
		seen["project "+r.Project]++
		seen["ref kind "+r.Pipeline.RefKind]++
		seen["pipeline "+string(r.Pipeline.Result)]++
		for _, a := range r.Jobs {
			seen["attempt "+string(a.Result)]++
			seen["state "+string(a.State)]++
			if *a.Manual && a.Result == ci.Success {
				seen["deployment to "+a.Environment]++
			}
			if a.Result == ci.Failure && *a.AllowFailure && r.Pipeline.Result == ci.Success {
				seen["allowed failure"]++
			}
		}
	}
	for what, least := range map[string]int{
		"project acme/shop": 1000, "project acme/orders-api": 700, "project acme/money": 200,
		"ref kind branch": 500, "ref kind change": 1000, "ref kind tag": 5,
		"pipeline success": 1000, "pipeline failure": 100, "pipeline cancellation": 20,
		"attempt success": 10_000, "attempt failure": 200, "attempt error": 20, "attempt timeout": 3, "attempt cancellation": 50, "attempt skip": 50,
		"state queued": 3, "state running": 3, "state blocked": 100,
		"deployment to production": 50, "allowed failure": 10,
	} {
		if seen[what] < least {
			t.Errorf("%s: %d times, want at least %d", what, seen[what], least)
		}
	}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
