package ci_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci/citest"
)

func merged(messages []ci.Report) *ci.Record {
	rec := &ci.Record{}
	for i := range messages {
		rec.Merge(&messages[i])
	}
	rec.Derive(ci.DefaultDefinitions(), "")
	return rec
}

// Whatever the order, however often each comes: the same record.
func TestMergeDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		messages := citest.DrawMessages(t, citest.DrawTruth(t))
		want := merged(messages)
		got := merged(citest.Shuffle(t, messages))
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("in another order (-want +got):\n%s", diff)
		}
	})
}

// After the last whole message the record is the truth, whatever came before.
func TestMergeFindsTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		truth := citest.DrawTruth(t)
		rec := merged(citest.Shuffle(t, citest.DrawMessages(t, truth)))
		if rec.State != ci.Finished || !rec.CreatedAt.Equal(truth.Created) || !rec.FinishedAt.Equal(truth.End) {
			t.Fatalf("pipeline: state %s, created %v, finished %v; want finished, %v, %v", rec.State, rec.CreatedAt, rec.FinishedAt, truth.Created, truth.End)
		}
		type row struct {
			ID, Name          string
			Number            int
			Retried           bool
			Started, Finished time.Time
			Result            ci.Result
		}
		var got, want []row
		for _, a := range rec.Attempts {
			if a.Legacy == "" {
				got = append(got, row{a.ID, a.Name, a.Number, a.Retried, a.StartedAt, a.FinishedAt, a.Result})
			} else if !a.Superseded {
				t.Errorf("%s is not superseded", a.Key)
			}
		}
		for _, a := range truth.Attempts {
			want = append(want, row{a.ID, a.Name, a.Number, !a.FinalOfItsJob, a.Started, a.Finished, a.Result})
		}
		byID := func(a, b row) int { return cmp.Compare(a.ID, b.ID) }
		slices.SortFunc(got, byID)
		slices.SortFunc(want, byID)
		if len(truth.Attempts) > 0 {
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Fatalf("attempts (-want +got):\n%s", diff)
			}
		}
	})
}

// A message that is known already changes nothing.
func TestMergeIsIdempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		messages := citest.DrawMessages(t, citest.DrawTruth(t))
		rec := merged(messages)
		for i := range messages {
			if rec.Merge(&messages[i]) {
				t.Fatalf("message %d changed a record that has it: %+v", i, messages[i])
			}
		}
	})
}

func TestRanksSurviveTheirText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rec := merged(citest.DrawMessages(t, citest.DrawTruth(t)))
		for _, a := range rec.Attempts {
			got, err := ci.ParseAttemptRanks(a.Ranks.String())
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(a.Ranks, got); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", a.Ranks, diff)
			}
		}
	})
}

// Absent says nothing and erases nothing.
func TestLaterMessageErasesNothing(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	rec := merged([]ci.Report{
		{Project: "p", Pipeline: ci.Pipeline{ID: 1, Ref: "main", CreatedAt: noon}, Jobs: []ci.Attempt{{ID: "1", Name: "e2e", Stage: "test", Runner: &ci.Runner{Name: "r"}}}},
		{Project: "p", Pipeline: ci.Pipeline{ID: 1, Commit: "abc", UpdatedAt: noon.Add(time.Hour)}, Jobs: []ci.Attempt{{ID: "1", Name: "e2e", State: ci.Finished, Result: ci.Failure}}},
	})
	a := rec.Attempts["#1"]
	if rec.Ref != "main" || rec.Words.Pipeline.Commit != "abc" || a.Stage != "test" || a.Runner.Name != "r" || a.Result != ci.Failure {
		t.Errorf("something was erased: %+v, %+v", rec.Words, a)
	}
}

// A finished attempt never goes back; a pipeline may.
func TestWhatMayGoBack(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	rec := merged([]ci.Report{
		{Project: "p", Pipeline: ci.Pipeline{ID: 1, State: ci.Finished, Result: ci.Success, UpdatedAt: noon}, Jobs: []ci.Attempt{{ID: "1", Name: "e2e", State: ci.Finished, Result: ci.Success}}},
		{Project: "p", Pipeline: ci.Pipeline{ID: 1, State: ci.Running, UpdatedAt: noon.Add(time.Hour)}, Jobs: []ci.Attempt{{ID: "1", Name: "e2e", State: ci.Running}}},
	})
	if rec.State != ci.Running || rec.Attempts["#1"].State != ci.Finished {
		t.Errorf("pipeline %s, attempt %s; want running and finished", rec.State, rec.Attempts["#1"].State)
	}
}
