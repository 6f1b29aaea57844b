package store_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// The original's query of times to e2e needs no page of pipelines or jobs
// (docs/decisions/0020-views-from-indexes.md).
func TestTheOriginalsQueriesReadIndexesAlone(t *testing.T) {
	t.Parallel()
	address := storetest.Postgres(t)
	postMany(t, storetest.Open(t, address), 1000)
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	// The tables are small, and would be read whole.
	for _, text := range []string{"VACUUM ANALYZE pipelines", "VACUUM ANALYZE jobs", "SET enable_seqscan = off", "SET enable_bitmapscan = off"} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	const query = `EXPLAIN SELECT created_at AS "time", mp.duration - mp.duration_e2e AS "total" FROM metrics_pipeline mp LEFT JOIN metrics_build mb ON mb.pipeline_id = mp.pipeline_id
		WHERE created_at BETWEEN '2020-01-01' AND '2030-01-01' AND mp.project = 'test/project' AND mp.is_master = true AND mp.has_restarts = false
		GROUP BY time, mp.duration, mp.duration_e2e ORDER BY 1`
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, index := range []string{"pipelines_by_metrics_created_at", "jobs_builds"} {
		if !strings.Contains(plan.String(), "Index Only Scan using "+index) {
			t.Errorf("%s is not read alone:\n%s", index, plan.String())
		}
	}
}
