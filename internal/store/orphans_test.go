package store_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Somebody deleted a pipeline by hand and left its jobs and steps behind. The
// server does not fall over them.
func TestRowsLeftBehindAreNobodys(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		s := storetest.Open(t, database)
		left, r := posted(1), told(1)
		left.Project = r.Project
		save(t, s, left)
		save(t, s, r)
		driver := "sqlite"
		if strings.HasPrefix(database, "postgres") {
			driver = "pgx"
		}
		db, err := sql.Open(driver, database)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("DELETE FROM pipelines; DELETE FROM phases; DELETE FROM jobs WHERE legacy_kind IS NULL"); err != nil {
			t.Fatal(err)
		}
		r.Jobs[1].Steps = nil
		again := r
		again.Jobs = append(again.Jobs[:3:3], ci.Attempt{ID: "4", Name: "deploy", State: ci.Queued})
		got := []store.Outcome{save(t, s, r), save(t, s, again)}
		if diff := cmp.Diff([]store.Outcome{store.Created, store.Merged}, got); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
	})
}
