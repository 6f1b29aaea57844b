package ci_test

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// ran is an attempt that became runnable, started and finished so many seconds
// after the pipeline's creation.
func ran(id, name string, runnable, start, finish float64) ci.Attempt {
	return ci.Attempt{ID: id, Name: name, State: ci.Finished, Result: ci.Success, CreatedAt: nine, QueuedS: new(start - runnable), StartedAt: at(start), FinishedAt: at(finish)}
}

func manual(a ci.Attempt) ci.Attempt {
	a.Manual = new(true)
	return a
}

func finished(jobs ...ci.Attempt) *ci.Record {
	return merged([]ci.Report{{Project: "p", Pipeline: ci.Pipeline{ID: 1, CreatedAt: nine, State: ci.Finished, FinishedAt: at(1e6)}, Jobs: jobs}})
}

// seconds is all that is known of where the time went.
type seconds struct {
	Wall, Execution, Retry, Queue, Blocked, Gap float64
	Path                                        map[string][2]float64 // run and queue
	PathRetry, PathBlocked, PathGap             float64
	Saves                                       map[string]float64
	Late                                        int
}

func secondsOf(rec *ci.Record) *seconds {
	if rec.Parts == nil {
		return nil
	}
	s := func(ms int64) float64 { return float64(ms) / 1000 }
	p := rec.Parts
	all := &seconds{
		Wall: s(p.WallMS), Execution: s(p.ExecutionMS), Retry: s(p.RetryMS), Queue: s(p.QueueMS), Blocked: s(p.BlockedMS), Gap: s(p.GapMS),
		PathRetry: s(rec.Path.RetryMS), PathBlocked: s(rec.Path.BlockedMS), PathGap: s(rec.Path.GapMS),
		Path: map[string][2]float64{}, Saves: map[string]float64{}, Late: rec.Late,
	}
	for _, a := range rec.Attempts {
		key := a.ID
		if key == "" {
			key = a.Key
		}
		if a.PathRunMS != nil {
			all.Path[key] = [2]float64{s(*a.PathRunMS), s(*a.PathQueueMS)}
		}
		if a.SavesMS != nil {
			all.Saves[key] = s(*a.SavesMS)
		}
	}
	return all
}

// Pipelines of which a person can say where the time went.
func TestWhereTheTimeWent(t *testing.T) {
	t.Parallel()
	again := func(a ci.Attempt, created float64) ci.Attempt {
		a.CreatedAt, a.QueuedS = at(created), nil
		return a
	}
	needs := func(a ci.Attempt, names ...string) ci.Attempt {
		a.Needs = names
		return a
	}
	for name, tc := range map[string]struct {
		rec  *ci.Record
		want *seconds
	}{
		"two stages; the longer job of the first could save what the shorter leaves": {
			finished(ran("1", "build", 1, 11, 111), ran("2", "lint", 1, 11, 91), ran("3", "e2e", 112, 117, 317)),
			&seconds{
				Wall: 317, Execution: 300, Queue: 15, Gap: 2, PathGap: 2,
				Path: map[string][2]float64{"1": {100, 10}, "3": {200, 5}}, Saves: map[string]float64{"1": 20, "2": 0, "3": 200},
			},
		},
		"what was needed counts, not what ended last": {
			finished(ran("1", "build", 0, 0, 50), ran("2", "lint", 0, 0, 60), needs(ran("3", "e2e", 62, 70, 100), "build")),
			&seconds{
				Wall: 100, Execution: 90, Queue: 8, Gap: 2, PathGap: 12,
				Path: map[string][2]float64{"1": {50, 0}, "3": {30, 8}}, Saves: map[string]float64{"1": 40, "2": 0, "3": 30},
			},
		},
		"a retry": {
			finished(ran("1", "e2e", 0, 10, 110), again(ran("2", "e2e", 0, 130, 230), 115)),
			&seconds{
				Wall: 230, Execution: 100, Retry: 100, Queue: 25, Gap: 5, PathRetry: 100, PathGap: 5,
				Path: map[string][2]float64{"1": {0, 10}, "2": {100, 15}}, Saves: map[string]float64{"2": 200},
			},
		},
		"a retry an hour later changes nothing": {
			finished(ran("1", "e2e", 0, 10, 110), again(ran("2", "e2e", 0, 3710, 3810), 3700)),
			&seconds{
				Wall: 110, Execution: 100, Queue: 10, Late: 1,
				Path: map[string][2]float64{"1": {100, 10}}, Saves: map[string]float64{"1": 100},
			},
		},
		"a gate that all waited for": {
			finished(ran("1", "build", 0, 0, 100), manual(ran("2", "go", 1000, 1005, 1010)), ran("3", "e2e", 1010, 1020, 1120)),
			&seconds{
				Wall: 1120, Execution: 205, Queue: 15, Blocked: 900, PathBlocked: 900,
				Path:  map[string][2]float64{"1": {100, 0}, "2": {5, 5}, "3": {100, 10}},
				Saves: map[string]float64{"1": 100, "2": 5, "3": 100},
			},
		},
		"a deployment that a person started when all was over": {
			finished(ran("1", "e2e", 0, 10, 110), manual(ran("2", "deploy", 500, 505, 600))),
			&seconds{
				Wall: 110, Execution: 100, Queue: 10, Late: 1,
				Path: map[string][2]float64{"1": {100, 10}}, Saves: map[string]float64{"1": 100},
			},
		},
		"a deployment that a person started while a test ran": {
			finished(ran("1", "e2e", 0, 10, 110), manual(ran("2", "deploy", 100, 105, 200))),
			&seconds{
				Wall: 200, Execution: 190, Queue: 10, PathBlocked: 100,
				Path: map[string][2]float64{"2": {95, 5}}, Saves: map[string]float64{"1": 0, "2": 90},
			},
		},
		"nothing is known but the whole": {finished(), &seconds{Wall: 1e6, Gap: 1e6, PathGap: 1e6, Path: map[string][2]float64{}, Saves: map[string]float64{}}},
		"no job ever started":            {finished(ci.Attempt{ID: "1", Name: "e2e", State: ci.Finished, Result: ci.Cancellation, CreatedAt: nine, FinishedAt: at(5)}), nil},
		"the creation is not known":      {merged([]ci.Report{{Project: "p", Pipeline: ci.Pipeline{ID: 1, State: ci.Finished, FinishedAt: at(9)}, Jobs: []ci.Attempt{ran("1", "a", 0, 0, 9)}}}), nil},
	} {
		if diff := gocmp.Diff(tc.want, secondsOf(tc.rec)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// While a pipeline runs it has no wall time; while a late attempt of it runs,
// it has the one of its first pass.
func TestWallWhileRunning(t *testing.T) {
	t.Parallel()
	first := ran("1", "e2e", 0, 10, 110)
	later := ci.Attempt{ID: "2", Name: "e2e", State: ci.Running, CreatedAt: at(3700), StartedAt: at(3701)}
	soon := ci.Attempt{ID: "2", Name: "e2e", State: ci.Running, CreatedAt: at(120), StartedAt: at(121)}
	queued := ci.Attempt{ID: "2", Name: "e2e", State: ci.Queued, CreatedAt: at(3700)}
	for name, tc := range map[string]struct {
		state ci.State
		jobs  []ci.Attempt
		wall  float64
	}{
		"more jobs may come":        {ci.Running, []ci.Attempt{first}, -1},
		"over":                      {ci.Finished, []ci.Attempt{first}, 110},
		"a late attempt runs":       {ci.Running, []ci.Attempt{first, later}, 110},
		"a late attempt waits":      {ci.Running, []ci.Attempt{first, queued}, 110},
		"a retry of the first pass": {ci.Running, []ci.Attempt{first, soon}, -1},
	} {
		rec := merged([]ci.Report{{Project: "p", Pipeline: ci.Pipeline{ID: 1, CreatedAt: nine, State: tc.state, FinishedAt: at(110)}, Jobs: tc.jobs}})
		got := -1.0
		if rec.Parts != nil {
			got = float64(rec.Parts.WallMS) / 1000
		}
		if got != tc.wall {
			t.Errorf("%s: wall is %v, want %v", name, got, tc.wall)
		}
	}
}

// A report of POST /save_metrics: wall is what was reported, and a build is
// taken to have ended when the first e2e job started.
func TestWhereTheReportedTimeWent(t *testing.T) {
	t.Parallel()
	job := func(kind ci.LegacyKind, name string, start, finish float64) ci.LegacyEntry {
		return ci.LegacyEntry{Kind: kind, Name: name, DurationS: new(finish - start), StartedAt: at(start), FinishedAt: at(finish)}
	}
	report := func(entries ...ci.LegacyEntry) *ci.Record {
		return merged([]ci.Report{{Project: "p", Pipeline: ci.Pipeline{ID: 1}, Legacy: &ci.Legacy{Ref: "main", CreatedAt: nine, DurationS: 700, DurationE2eS: 300, Entries: entries}}})
	}
	build := ci.LegacyEntry{Kind: ci.LegacyBuild, Name: "build-e2e", DurationS: new(64.0)}
	for name, tc := range map[string]struct {
		rec  *ci.Record
		want *seconds
	}{
		"with times": {
			report(build, job(ci.LegacyFailed, "e2e", 399.5, 450), job(ci.LegacyJob, "e2e", 460, 700.6), job(ci.LegacyJob, "e2e 2", 400.5, 500)),
			&seconds{
				Wall: 700, Execution: 64 + 299.5, Retry: 1, Gap: 700 - 64 - 299.5 - 1, PathRetry: 50.5, PathGap: 335.5 + 10,
				Path:  map[string][2]float64{"legacy:job:0": {240, 0}, "legacy:failed:0": {0, 0}, "legacy:build:0": {64, 0}},
				Saves: map[string]float64{"legacy:job:0": 200, "legacy:job:1": 0, "legacy:build:0": 64},
			},
		},
		"without": {
			report(build, ci.LegacyEntry{Kind: ci.LegacyJob, Name: "e2e", DurationS: new(290.0)}, ci.LegacyEntry{Kind: ci.LegacyFailed, Name: "e2e", DurationS: new(50.0)}),
			&seconds{
				Wall: 700, Execution: 64 + 290, Gap: 700 - 64 - 290, PathGap: 700 - 64 - 290,
				Path:  map[string][2]float64{"legacy:job:0": {290, 0}, "legacy:build:0": {64, 0}},
				Saves: map[string]float64{"legacy:job:0": 290, "legacy:build:0": 64},
			},
		},
		"figures alone": {report(), &seconds{Wall: 700, Gap: 700, PathGap: 700, Path: map[string][2]float64{}, Saves: map[string]float64{}}},
	} {
		if diff := gocmp.Diff(tc.want, secondsOf(tc.rec)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Ten thousand attempts, each repeating the one before, are no reason to
// compute for minutes.
func TestManyAttemptsAreQuick(t *testing.T) {
	t.Parallel()
	r := ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 1, CreatedAt: nine, State: ci.Finished}}
	for i := range 10_000 {
		a := ran("", "a", float64(i)+0.5, float64(i)+0.5, float64(i)+1)
		a.Manual = new(i%2 == 0)
		a.ID = string(rune('0'+i%10)) + time.Duration(i).String()
		r.Jobs = append(r.Jobs, a)
	}
	start := time.Now()
	rec := merged([]ci.Report{r})
	if took := time.Since(start); took > 10*time.Second || rec.Parts == nil {
		t.Errorf("it took %v: %+v", took, rec.Parts)
	}
}
