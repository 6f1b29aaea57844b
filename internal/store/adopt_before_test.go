package store_test

import (
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A pipeline of before 1970, which only the original could hold, is taken over
// and shown, and no packed day has a place for it.
func TestAdoptionOfATimeBefore1970(t *testing.T) {
	t.Parallel()
	database, db := originalAt(t, "5684fb25dcfd", rowsOf(20, 2), "UPDATE metrics_pipeline SET created_at = '1969-07-20 20:17:40' WHERE pipeline_id = 7")
	adopt(t, store.Config{Database: database})
	// As an earlier version left it.
	must(t, db, "INSERT INTO days (project_id, day) SELECT project_id, -165 FROM pipelines WHERE id = 7 ON CONFLICT DO NOTHING")
	s := storetest.Open(t, database)
	if _, err := s.PackDays(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.PackVolumes(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, db, "SELECT count(*), count(*) FILTER (WHERE created_at < '1970-01-01') FROM metrics_pipeline"); got[0] != "20 | 1" {
		t.Errorf("the view shows %s", got)
	}
	for _, query := range []string{"SELECT count(*) FROM days WHERE day < 0 AND body IS NOT NULL", "SELECT count(*) FROM volumes WHERE volume < 0"} {
		if got := answer(t, db, query); got[0] != "0" {
			t.Errorf("%s: %s", query, got)
		}
	}
}
