package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Two processes that start at the same instant, and a third that takes the
// place of one, give no row the id of another.
func TestRowIDsAreUnique(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		for life := range int64(3) {
			s, err := store.Open(context.Background(), store.Config{Database: database, Now: func() time.Time { return noon }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			for n := range int64(10) {
				if _, err := s.Save(context.Background(), posted(100*life+n+1)); err != nil {
					t.Fatal(err)
				}
			}
		}
		s := storetest.Open(t, database)
		for _, view := range []string{"metrics_pipeline", "metrics_build", "metrics_job"} {
			got := storetest.Table(t, s, "SELECT count(*), count(DISTINCT id) FROM "+view)
			if got[0][0] != int64(30) || got[0][1] != int64(30) {
				t.Errorf("%s: %v rows and ids, want 30 of both", view, got[0])
			}
		}
	})
}
