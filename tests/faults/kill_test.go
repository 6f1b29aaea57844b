//go:build linux

package faults_test

import (
	"math/rand/v2"
	"path"
	"path/filepath"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// engines runs f with an empty database of each engine.
func engines(t *testing.T, f func(t *testing.T, database string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, filepath.Join(t.TempDir(), "faults.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, storetest.Postgres(t))
	})
}

// A server that is killed in the middle of everything has all that it
// acknowledged when it is started again, and nothing half.
func TestSoakKill(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, database string) {
		s, j := newServer(t, database), newJournal(1)
		starts := count(3, 50)
		for range starts { // while it makes the schema
			s.launch()
			time.Sleep(rand.N(80 * time.Millisecond))
			s.kill()
		}
		s.start()
		l := startLoad(t, j, s)
		kills := count(4, 100)
		var slowest time.Duration
		for range kills {
			j.await(t, 20+rand.IntN(200))
			j.awaitMoment(t)
			s.kill()
			slowest = max(slowest, s.start())
		}
		l.finish()
		s.terminate()
		audit(t, database, j).tell(t, slowest, "kill -9, %d times at the first start and %d under load, %s", starts, kills, path.Base(t.Name()))
	})
}

// A server that is asked to end finishes what it has begun, and ends well in
// bounded time.
func TestSoakTerminate(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, database string) {
		s, j := newServer(t, database), newJournal(1)
		s.start()
		l := startLoad(t, j, s)
		ends := count(2, 30)
		var slowest time.Duration
		for range ends {
			j.await(t, 20+rand.IntN(200))
			slowest = max(slowest, s.terminate())
			s.start()
		}
		l.finish()
		slowest = max(slowest, s.terminate())
		if slowest > endLimit {
			t.Errorf("the server took %s to end, want at most %s", slowest, endLimit)
		}
		audit(t, database, j).tell(t, slowest, "SIGTERM, %d times, %s", ends+1, path.Base(t.Name()))
	})
}
