package store_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Pipelines go with all that is theirs when their project keeps them no longer:
// none by default, none of another project, none whose age is not known.
func TestRetentionOfPipelines(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		s, err := store.Open(t.Context(), store.Config{Database: database, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		tell := func(project string, id int64, age time.Duration) ci.Report {
			r := ci.Report{Provider: "gitlab", Project: project, Source: ci.API, Pipeline: ci.Pipeline{ID: id, Ref: "main"}}
			if age > 0 {
				at := now.Add(-age)
				r.Pipeline.CreatedAt = at
				r.Jobs = []ci.Attempt{{ID: strconv.FormatInt(id, 10), Name: "e2e", Stage: "test", StartedAt: at, FinishedAt: at.Add(time.Minute), Steps: []ci.Step{{Name: "up", DurationS: 1}}}}
			}
			return r
		}
		const day, old = 24 * time.Hour, 250
		var wg sync.WaitGroup
		for id := range int64(old) {
			wg.Go(func() { save(t, s, tell("a", id+1, 40*day+time.Duration(id%7)*time.Millisecond)) })
		}
		wg.Wait()
		save(t, s, tell("a", 1001, 30*day))
		save(t, s, tell("a", 1002, 30*day+time.Millisecond))
		save(t, s, tell("a", 1003, 0))
		save(t, s, tell("b", 1, 40*day))

		prune := func(want int64) {
			t.Helper()
			got, err := s.Prune(t.Context(), store.Retention{})
			if diff := cmp.Diff(store.Pruned{Pipelines: want}, got); err != nil || diff != "" {
				t.Errorf("pruned (-want +got), %v:\n%s", err, diff)
			}
		}
		prune(0)
		p, err := s.Project(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetSettings(t.Context(), p, ci.Settings{KeepDays: 30}); err != nil {
			t.Fatal(err)
		}
		all, err := s.Expired(t.Context())
		if err != nil || len(all) != 1 || all[0].Project.Name != "a" || all[0].Pipelines != old+1 || !all[0].Before.Equal(now.AddDate(0, 0, -30)) {
			t.Errorf("to be removed: %+v, %v", all, err)
		}
		packed := packDays(t, s)
		prune(old + 1)
		if left, stale := checkDays(t, s); packed == 0 || stale == 0 || int64(left) >= packed {
			t.Errorf("%d days were packed; of what is left %d are, and %d are stale", packed, left, stale)
		}
		prune(0)
		want := [][]any{{"a", int64(1001)}, {"a", int64(1003)}, {"b", int64(1)}}
		if diff := cmp.Diff(want, storetest.Table(t, s, "SELECT project, pipeline_id FROM ci_pipelines ORDER BY 1, 2")); diff != "" {
			t.Errorf("what is left (-want +got):\n%s", diff)
		}
		for _, table := range []string{"jobs", "steps", "phases"} {
			if rows := storetest.Table(t, s, "SELECT count(*) FROM "+table); rows[0][0] != int64(2) {
				t.Errorf("%s has %v rows, want those of two pipelines", table, rows[0][0])
			}
		}

		// Reports of what is being deleted: each pipeline is whole or not there.
		for round := range int64(3) {
			wg.Go(func() {
				if _, err := s.Prune(t.Context(), store.Retention{}); err != nil {
					t.Error(err)
				}
			})
			for id := range int64(60) {
				wg.Go(func() { save(t, s, tell("a", id+1, 40*day+time.Duration(round)*time.Millisecond)) })
			}
		}
		wg.Wait()
		for _, table := range []string{"jobs", "steps", "phases"} {
			if rows := storetest.Table(t, s, "SELECT count(*) FROM "+table+" c WHERE NOT EXISTS (SELECT 1 FROM pipelines p WHERE p.project_id = c.project_id AND p.id = c.pipeline_id)"); rows[0][0] != int64(0) {
				t.Errorf("%v rows of %s have no pipeline", rows[0][0], table)
			}
		}
		checkDays(t, s)
		if rows := storetest.Table(t, s, "SELECT count(*) FROM pipelines p WHERE p.created_ms > 0 AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.project_id = p.project_id AND j.pipeline_id = p.id)"); rows[0][0] != int64(0) {
			t.Errorf("%v pipelines have lost their jobs", rows[0][0])
		}
		if _, err := s.Prune(t.Context(), store.Retention{}); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, storetest.Table(t, s, "SELECT project, pipeline_id FROM ci_pipelines ORDER BY 1, 2")); diff != "" {
			t.Errorf("what is left in the end (-want +got):\n%s", diff)
		}
	})
}
