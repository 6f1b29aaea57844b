package store_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// led runs Lead in the background and tells when it leads and how to end it.
func led(t *testing.T, s *store.Store, name string, now *atomic.Int64) (leading <-chan struct{}, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	began, ended := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(ended)
		s.Lead(ctx, name, func(ctx context.Context) {
			if now.Add(1) > 1 {
				t.Error("two lead at once")
			}
			began <- struct{}{}
			<-ctx.Done()
			now.Add(-1)
		})
	}()
	return began, func() {
		cancel()
		<-ended
	}
}

func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatal(what + " did not come to be")
	}
}

// Of two replicas one leads; when it stops, the other one does.
func TestLead(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	a, b := storetest.Open(t, database), storetest.Open(t, database)
	var now atomic.Int64
	leading, stop := led(t, a, "work", &now)
	await(t, leading, "leadership of the first")
	second, stopSecond := led(t, b, "work", &now)
	defer stopSecond()
	var other atomic.Int64
	elsewhere, stopOther := led(t, b, "other work", &other)
	await(t, elsewhere, "leadership of other work")
	stopOther()
	select {
	case <-second:
		t.Fatal("the second leads beside the first")
	default:
	}
	stop()
	await(t, second, "leadership of the second")
}

// A leader whose connection is cut stops working before it leads again.
func TestLeadIsLostWithItsConnection(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.Postgres(t))
	var now atomic.Int64
	leading, stop := led(t, s, "work", &now)
	defer stop()
	await(t, leading, "leadership")
	storetest.Table(t, s, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l
		WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	await(t, leading, "leadership after the cut")
}

// Work that is done is not begun again, on either engine.
func TestLeadEnds(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		times := 0
		s.Lead(t.Context(), "work", func(context.Context) { times++ })
		if times != 1 {
			t.Errorf("the work was done %d times, want once", times)
		}
	})
}
