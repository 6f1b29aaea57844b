package ci_test

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Webhooks say times in whole seconds, so that a short pipeline's start and end
// may have the same instant.
func TestStatusOfOneInstant(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	said := func(s ci.State, r ci.Result, raw string) ci.Report {
		return ci.Report{Project: "p", Source: ci.Webhook, Pipeline: ci.Pipeline{ID: 1, State: s, Result: r, RawStatus: raw, CreatedAt: noon}, Jobs: []ci.Attempt{
			{ID: "1", Name: "e2e", State: s, Result: r, RawStatus: raw, CreatedAt: noon},
		}}
	}
	onTheWay := []ci.Report{
		said(ci.Unknown, "", "zombie"), said(ci.Queued, "", "created"), said(ci.Blocked, "", "manual"),
		said(ci.Queued, "", "pending"), said(ci.Running, "", "running"), said(ci.Finished, ci.Skip, "skipped"),
	}
	for i, later := range onTheWay {
		for _, earlier := range onTheWay[:i] {
			for _, order := range [][]ci.Report{{earlier, later}, {later, earlier}} {
				rec := merged(order)
				if got := rec.Words.Pipeline.RawStatus; got != later.Pipeline.RawStatus {
					t.Errorf("pipeline %s and %s: %s", order[0].Pipeline.RawStatus, order[1].Pipeline.RawStatus, got)
				}
				if got := rec.Attempts["#1"].RawStatus; got != later.Pipeline.RawStatus {
					t.Errorf("attempt %s and %s: %s", order[0].Pipeline.RawStatus, order[1].Pipeline.RawStatus, got)
				}
			}
		}
	}
}

// A pipeline event hides attempts that were retried, so the last word about
// one of these may be that it runs.
func TestRetriedAttemptDoesNotKeepPipelineRunning(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	first := ci.Attempt{ID: "1", Name: "e2e", State: ci.Running, CreatedAt: noon, StartedAt: noon}
	second := ci.Attempt{ID: "2", Name: "e2e", State: ci.Finished, Result: ci.Success, CreatedAt: noon.Add(time.Minute), StartedAt: noon.Add(time.Minute), FinishedAt: noon.Add(time.Hour)}
	messages := []ci.Report{
		{Project: "p", Pipeline: ci.Pipeline{ID: 1, State: ci.Running, CreatedAt: noon}, Jobs: []ci.Attempt{first}},
		{Project: "p", Pipeline: ci.Pipeline{ID: 1, State: ci.Finished, Result: ci.Success, CreatedAt: noon, FinishedAt: noon.Add(time.Hour)}, Jobs: []ci.Attempt{second}},
	}
	if rec := merged(messages); rec.State != ci.Finished || rec.Result != ci.Success || !rec.HasRestarts {
		t.Errorf("the pipeline is %s %s, restarts %v", rec.State, rec.Result, rec.HasRestarts)
	}
	if rec := merged(messages[:1]); rec.State != ci.Running {
		t.Errorf("without a retry the pipeline is %s", rec.State)
	}
}

func TestOnDefaultBranch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ref, kind, branch string
		want              bool
	}{
		{"main", "", "", true},
		{"main", "branch", "main", true},
		{"main", "branch", "trunk", false},
		{"trunk", "branch", "trunk", true},
		{"main", "change", "main", false}, // a fork's main
		{"main", "tag", "main", false},
	} {
		rec := merged([]ci.Report{{Project: "p", Pipeline: ci.Pipeline{ID: 1, Ref: tc.ref, RefKind: tc.kind, DefaultBranch: tc.branch}}})
		if rec.OnDefault != tc.want {
			t.Errorf("%s %s, default %s: %v", tc.kind, tc.ref, tc.branch, rec.OnDefault)
		}
	}
}

// The original's client says up = int(pull) + int(up), and shows what it saw
// as up beside it.
func TestUpWithPullIsTruncatedAsTheOriginalDoes(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	rec := merged([]ci.Report{{Project: "p", Pipeline: ci.Pipeline{ID: 1, State: ci.Finished, CreatedAt: noon}, Jobs: []ci.Attempt{{
		ID: "1", Name: "e2e", Stage: "test", State: ci.Finished, Result: ci.Success, StartedAt: noon, FinishedAt: noon.Add(time.Minute),
		Steps: []ci.Step{{Name: "pull", DurationS: 25.9}, {Name: "up", DurationS: 36.8}, {Name: "up_without_pull", DurationS: 10.9}, {Name: "e2e", DurationS: 6.5}},
	}}}})
	a := rec.Attempts["#1"]
	if diff := gocmp.Diff([]*float64{new(25.0), new(35.0), new(10.0), new(6.0)}, []*float64{a.PullS, a.UpS, a.NoPull, a.E2eS}); diff != "" {
		t.Errorf("pull, up, up_without_pull, e2e (-want +got):\n%s", diff)
	}
}

// Two attempts of one millisecond have the order of their ids, as they have
// when one of them was stored before the other came.
func TestAttemptsAreNumberedToTheMillisecond(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	rec := merged([]ci.Report{{Project: "p", Pipeline: ci.Pipeline{ID: 1}, Jobs: []ci.Attempt{
		{ID: "2", Name: "e2e", CreatedAt: noon.Add(400 * time.Microsecond)},
		{ID: "1", Name: "e2e", CreatedAt: noon.Add(600 * time.Microsecond)},
	}}})
	if one, two := rec.Attempts["#1"].Number, rec.Attempts["#2"].Number; one != 1 || two != 2 {
		t.Errorf("attempt 1 is number %d and attempt 2 number %d", one, two)
	}
}

// The creation, as it was said; else the pipeline's own start; else the earliest
// instant that anybody told, which is none to count by.
func TestCreation(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	created := ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 1, CreatedAt: noon}}
	started := ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 1, State: ci.Running, StartedAt: noon.Add(time.Minute)}}
	job := ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 1}, Jobs: []ci.Attempt{{ID: "1", Name: "e2e", StartedAt: noon.Add(2 * time.Minute)}}}
	for name, c := range map[string]struct {
		told  []ci.Report
		want  time.Time
		known bool
	}{
		"said":            {[]ci.Report{job, started, created}, noon, true},
		"started":         {[]ci.Report{job, started}, noon.Add(time.Minute), true},
		"a job of it ran": {[]ci.Report{job}, noon.Add(2 * time.Minute), false},
		"nothing":         {[]ci.Report{{Project: "p", Pipeline: ci.Pipeline{ID: 1}}}, time.Time{}, false},
	} {
		if rec := merged(c.told); !rec.CreatedAt.Equal(c.want) || rec.CreatedKnown != c.known {
			t.Errorf("%s: %v %v, want %v %v", name, rec.CreatedAt, rec.CreatedKnown, c.want, c.known)
		}
	}
}
