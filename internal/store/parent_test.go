package store_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Going down forgets who started a pipeline and nothing else; up again, the
// next word about it is kept.
func TestParentOverMigrations(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		child := told(2)
		child.Pipeline.Parent = &ci.Parent{Project: "acme/all", PipelineID: 1 << 40, JobID: "77"}
		s := storetest.Open(t, database)
		save(t, s, told(1))
		save(t, s, child)
		if got := save(t, s, child); got != store.Unchanged {
			t.Errorf("the same report again: %v", got)
		}
		parents := func(s *store.Store) (all []string) {
			for _, row := range storetest.Table(t, s, "SELECT pipeline_id, parent_project, parent_pipeline_id, parent_job_id FROM ci_pipelines ORDER BY pipeline_id") {
				all = append(all, fmt.Sprint(row...))
			}
			return all
		}
		want := []string{"1 <nil> <nil> <nil>", fmt.Sprint(int64(2), "acme/all", int64(1)<<40, "77")}
		if diff := cmp.Diff(want, parents(s)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		m := migrator(t, store.Config{Database: database})
		if _, err := m.Down(t.Context(), 1, store.DownOptions{}); err != nil {
			t.Fatal(err)
		}
		s = storetest.Open(t, database)
		if diff := cmp.Diff([]string{"1 <nil> <nil> <nil>", "2 <nil> <nil> <nil>"}, parents(s)); diff != "" {
			t.Errorf("after down and up (-want +got):\n%s", diff)
		}
		save(t, s, child)
		if diff := cmp.Diff(want, parents(s)); diff != "" {
			t.Errorf("told again (-want +got):\n%s", diff)
		}
	})
}
