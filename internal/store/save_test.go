package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// posted is the example of the original's README.
func posted(id int64) ci.Report {
	return ci.Report{Project: "test/project", Pipeline: ci.Pipeline{ID: id}, Legacy: &ci.Legacy{
		Ref: "master", CreatedAt: time.Date(2023, 6, 13, 7, 11, 24, 29e6, time.UTC), DurationS: 97, DurationE2eS: 27, HasRestarts: new(false),
		Entries: []ci.LegacyEntry{
			{Kind: ci.LegacyBuild, Name: "build-e2e", DurationS: new(64.0)},
			{
				Kind: ci.LegacyJob, Name: "e2e", DurationS: new(27.0), UpS: new(7.0), E2eS: new(5.0),
				StartedAt: time.Date(2023, 6, 13, 7, 12, 33, 677e6, time.UTC), FinishedAt: time.Date(2023, 6, 13, 7, 13, 1, 293e6, time.UTC),
			},
		},
	}}
}

// told is a small pipeline as a CI system tells it.
func told(id int64) ci.Report {
	return ci.Report{Provider: "gitlab", Project: "acme/shop", Source: ci.API, Pipeline: ci.Pipeline{
		ID: id, Ref: "main", State: ci.Finished, Result: ci.Success, CreatedAt: noon, FinishedAt: noon.Add(10 * time.Minute),
	}, Jobs: []ci.Attempt{
		{ID: "1", Name: "build-e2e", Stage: "build", State: ci.Finished, Result: ci.Success, CreatedAt: noon, StartedAt: noon.Add(time.Second), FinishedAt: noon.Add(61 * time.Second)},
		{
			ID: "2", Name: "e2e", Stage: "test", State: ci.Finished, Result: ci.Failure, CreatedAt: noon, StartedAt: noon.Add(2 * time.Minute), FinishedAt: noon.Add(4 * time.Minute),
			Steps: []ci.Step{{Name: "up", DurationS: 42}, {Name: "e2e", StartedAt: noon.Add(3 * time.Minute), DurationS: 60.5}},
		},
		{ID: "3", Name: "e2e", Stage: "test", State: ci.Finished, Result: ci.Success, CreatedAt: noon.Add(5 * time.Minute), StartedAt: noon.Add(6 * time.Minute), FinishedAt: noon.Add(10 * time.Minute)},
	}}
}

func save(t *testing.T, s *store.Store, r ci.Report) store.Outcome {
	t.Helper()
	outcome, err := s.Save(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func TestSaveTellsWhatItDid(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		more := told(2)
		more.Jobs = append(more.Jobs, ci.Attempt{ID: "4", Name: "deploy", State: ci.Queued})
		got := []store.Outcome{
			save(t, s, posted(1)), save(t, s, posted(1)), // the second is refused as known
			save(t, s, told(2)), save(t, s, told(2)), save(t, s, more),
		}
		want := []store.Outcome{store.Created, store.Unchanged, store.Created, store.Unchanged, store.Merged}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
	})
}

// A report that says no more than which pipeline it is creates it, whether or
// not its project is known.
func TestReportOfNothingCreates(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for _, id := range []int64{1, 2} {
			r := ci.Report{Project: "acme/new", Source: ci.Push, Pipeline: ci.Pipeline{ID: id}}
			for _, want := range []store.Outcome{store.Created, store.Unchanged} {
				if got := save(t, s, r); got != want {
					t.Errorf("pipeline %d: got %s, want %s", id, got, want)
				}
			}
		}
	})
}

func TestLegacyReportAfterOthersIsTaken(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		first := told(1)
		first.Project = "test/project"
		save(t, s, first)
		if got := save(t, s, posted(1)); got != store.Merged {
			t.Errorf("the first legacy report is %v, want merged", got)
		}
		if got := save(t, s, posted(1)); got != store.Unchanged {
			t.Errorf("the second legacy report is %v, want unchanged", got)
		}
		got := storetest.Table(t, s, "SELECT duration, duration_e2e FROM metrics_pipeline")
		if diff := cmp.Diff([][]any{{int64(97), int64(27)}}, got); diff != "" {
			t.Errorf("metrics_pipeline (-want +got):\n%s", diff)
		}
	})
}

func TestInvalidReportIsRefusedWhole(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		r := told(1)
		r.Jobs[1].Name, r.Jobs[2].DurationS = "", new(-1.0)
		_, err := s.Save(t.Context(), r)
		var invalid *ci.InvalidError
		if !errors.As(err, &invalid) || len(invalid.Fields) != 2 || invalid.Fields[1].Pointer != "/jobs/2/duration_s" {
			t.Fatalf("Save = %v, want both bad fields", err)
		}
		if got := storetest.Table(t, s, "SELECT 1 FROM pipelines"); got != nil {
			t.Error("something of the bad report is stored")
		}
	})
}

// Equal reports at once are one pipeline, created once, in whatever batches
// they fell.
func TestEqualReportsAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		const posts = 200
		outcomes := make(chan store.Outcome, posts)
		var wg sync.WaitGroup
		for range posts {
			wg.Go(func() { outcomes <- save(t, s, posted(1)) })
		}
		wg.Wait()
		close(outcomes)
		count := map[store.Outcome]int{}
		for o := range outcomes {
			count[o]++
		}
		if diff := cmp.Diff(map[store.Outcome]int{store.Created: 1, store.Unchanged: posts - 1}, count); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		for view, want := range map[string]int{"metrics_pipeline": 1, "metrics_job": 1, "metrics_build": 1, "metrics_job_failed": 0} {
			if got := len(storetest.Table(t, s, "SELECT 1 FROM "+view)); got != want {
				t.Errorf("%s has %d rows, want %d", view, got, want)
			}
		}
	})
}

// Two projects may use the same number, and many projects are made at once.
func TestManyProjectsAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		const projects = 100
		var wg sync.WaitGroup
		for i := range projects {
			for range 2 {
				wg.Go(func() {
					r := posted(1)
					r.Project = fmt.Sprintf("group/p%d", i)
					save(t, s, r)
				})
			}
		}
		wg.Wait()
		got := storetest.Table(t, s, "SELECT count(*), count(DISTINCT project) FROM metrics_pipeline")
		if diff := cmp.Diff([][]any{{int64(projects), int64(projects)}}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestClosedStoreRefuses(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Save(t.Context(), posted(1)); !errors.Is(err, store.ErrClosed) {
			t.Errorf("Save = %v, want ErrClosed", err)
		}
	})
}
