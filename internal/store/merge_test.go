package store_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci/citest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Both engines hold the same rows for the same messages, in whatever order
// they come, one by one or at once, in however many batches.
func TestStateDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	lite, pg := storetest.Open(t, storetest.SQLite(t)), storetest.Open(t, storetest.Postgres(t))
	var ids atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		messages := citest.DrawMessages(rt, citest.DrawTruth(rt))
		want := dump(t, lite, saveAll(t, lite, ids.Add(1), messages, false))
		for name, s := range map[string]*store.Store{"sqlite": lite, "postgres": pg} {
			for _, atOnce := range []bool{false, true} {
				got := dump(t, s, saveAll(t, s, ids.Add(1), citest.Shuffle(rt, messages), atOnce))
				if diff := cmp.Diff(want, got); diff != "" {
					rt.Fatalf("%s, at once %v, in another order (-want +got):\n%s", name, atOnce, diff)
				}
			}
		}
	})
	orphans(t, lite)
	orphans(t, pg)
}

// Nothing is left without its pipeline, though no foreign key says so.
func orphans(t *testing.T, s *store.Store) {
	for _, child := range []string{"jobs", "steps", "phases"} {
		const query = "SELECT 1 FROM %s c LEFT JOIN pipelines p ON p.project_id = c.project_id AND p.id = c.pipeline_id WHERE p.id IS NULL"
		if n := len(storetest.Table(t, s, fmt.Sprintf(query, child))); n > 0 {
			t.Errorf("%d %s have no pipeline", n, child)
		}
	}
}

func saveAll(t *testing.T, s *store.Store, id int64, messages []ci.Report, atOnce bool) int64 {
	var wg sync.WaitGroup
	for _, m := range messages {
		m.Pipeline.ID = id
		one := func() {
			if _, err := s.Save(t.Context(), m); err != nil {
				t.Error(err)
			}
		}
		if atOnce {
			wg.Go(one)
		} else {
			one()
		}
	}
	wg.Wait()
	return id
}

// dump returns all rows of a pipeline but its ids, as text that both engines
// share.
func dump(t *testing.T, s *store.Store, id int64) map[string][]string {
	all := map[string][]string{}
	for table, column := range map[string]string{"pipelines": "id", "jobs": "pipeline_id", "steps": "pipeline_id", "phases": "pipeline_id"} {
		rows := storetest.Table(t, s, fmt.Sprintf("SELECT * FROM %s WHERE %s = $1", table, column), id)
		names := columnNames(t, s, table)
		for _, row := range rows {
			var fields []string
			for i, v := range row {
				if !slices.Contains([]string{column, "row_id", "revision", "project_id"}, names[i]) {
					fields = append(fields, fmt.Sprintf("%s=%v", names[i], plain(v)))
				}
			}
			all[table] = append(all[table], strings.Join(fields, " "))
		}
		slices.Sort(all[table])
	}
	return all
}

func columnNames(t *testing.T, s *store.Store, table string) []string {
	rows, err := s.Query(t.Context(), "SELECT * FROM "+table+" WHERE false")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil || rows.Err() != nil {
		t.Fatal(err, rows.Err())
	}
	return names
}

func plain(v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case bool:
		if v {
			return 1
		}
		return 0
	}
	return v
}
