package store_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Two replicas that are told of the same pipelines at the same time, by
// webhooks and by legacy reports, never wait for each other in a circle:
// PostgreSQL would look for that only after a second.
func TestReplicasDoNotDeadlock(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	replicas := []*store.Store{storetest.Open(t, database), storetest.Open(t, database)}
	began := time.Now()
	var senders sync.WaitGroup
	for i := range 64 {
		senders.Go(func() {
			for time.Since(began) < 3*time.Second {
				// A window over the numbers, which moves on: new pipelines all the time.
				id := 1 + rand.Int64N(60) + 40*int64(time.Since(began)/(100*time.Millisecond))
				r := told(id)
				if rand.IntN(2) == 0 {
					r = posted(id)
					r.Project = told(id).Project
				}
				if _, err := replicas[i%2].Save(context.Background(), r); err != nil {
					t.Errorf("pipeline %d: %v", id, err)
				}
			}
		})
	}
	senders.Wait()
	for _, s := range replicas {
		if stats := s.Stats(); len(stats.Errors) > 0 || stats.Batches == 0 {
			t.Errorf("%d batches, failed ones by class: %v, want none", stats.Batches, stats.Errors)
		}
	}
}
