package store_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A large database is taken over quickly, and only a chunk of its rows is held
// in this program at a time.
func TestAdoptionSoak(t *testing.T) { //nolint:paralleltest // in a soak it measures memory, which others would use too
	pipelines := 20_000
	if os.Getenv("PMC_SOAK") == "1" {
		pipelines = 1_000_000
	} else {
		t.Parallel()
	}
	database, db := originalAt(t, "a1b2c3d4e5f6", rowsOf(pipelines, 5))
	runtime.GC()
	peak, start := uint64(0), time.Now()
	chunks := 0
	a := adopt(t, store.Config{Database: database, Progress: func(step string, done, total int64) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if peak = max(peak, m.Sys); total == 0 || done%100_000 == 0 {
			t.Logf("%6.1f s: %s %d of %d", time.Since(start).Seconds(), step, done, total)
		}
		chunks++
	}})
	took := time.Since(start)
	var rows int64
	for _, table := range a.Tables {
		if len(table.Left) > 0 || table.Taken != table.Rows {
			t.Errorf("%+v", table)
		}
		rows += table.Rows
		if got, want := answer(t, db, "SELECT count(*) FROM "+table.Name), answer(t, db, "SELECT count(*) FROM legacy_"+table.Name); got[0] != want[0] {
			t.Errorf("%s shows %s rows of %s", table.Name, got, want)
		}
	}
	if chunks < pipelines/2000 {
		t.Errorf("progress was told %d times", chunks)
	}
	t.Logf("%d pipelines with %d rows in %.1f s: %.0f pipelines/s; this process took %d MB from the system", pipelines, rows, took.Seconds(), float64(pipelines)/took.Seconds(), peak>>20)
	if os.Getenv("PMC_SOAK") == "1" && peak > 100<<20 {
		t.Errorf("it took %d bytes of memory", peak)
	}
}
