package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Old bodies go, in several batches, and then their deliveries; those that wait
// stay. A delivery without a body can't be replayed, but it can come again.
func TestPrune(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		s, err := store.Open(t.Context(), store.Config{Database: database, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		const old = 1100
		for i := range old {
			receive(t, s, fmt.Sprint("old-", i), "body")
		}
		for {
			taken := take(t, s)
			if taken == nil {
				break
			}
			for _, d := range taken {
				if err := s.CloseDelivery(t.Context(), d.ID, store.DeliveryFailed, "not read"); err != nil {
					t.Fatal(err)
				}
			}
		}
		receive(t, s, "waits", "body")
		if err := s.KeepAnswer(t.Context(), "key", store.Answer{Fingerprint: "f", Status: 201, Body: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		prune := func(want store.Pruned) {
			t.Helper()
			got, err := s.Prune(t.Context(), store.Retention{DeliveryBodies: 14 * 24 * time.Hour, Deliveries: 90 * 24 * time.Hour, Answers: 24 * time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pruned at %v (-want +got):\n%s", now, diff)
			}
		}
		prune(store.Pruned{})
		now = now.AddDate(0, 0, 15)
		receive(t, s, "new", "body")
		prune(store.Pruned{DeliveryBodies: old, Answers: 1})
		prune(store.Pruned{})

		if _, found, err := s.Answer(t.Context(), "key"); err != nil || found {
			t.Errorf("the answer is still there: %v, %v", found, err)
		}
		if err := s.ReplayDelivery(t.Context(), 1); !errors.Is(err, store.ErrBodyGone) {
			t.Errorf("replay: %v, want ErrBodyGone", err)
		}
		if _, err := s.DeliveryBody(t.Context(), 1); !errors.Is(err, store.ErrBodyGone) {
			t.Errorf("body: %v, want ErrBodyGone", err)
		}
		receive(t, s, "old-0", "another body")
		all, err := s.Deliveries(t.Context(), store.DeliveryFilter{State: store.DeliveryWaiting}, 0, 10)
		if err != nil || len(all) != 3 || all[2].ID != 1 {
			t.Errorf("waiting: %+v, %v, want the one that came again, the one that waits and the new one", all, err)
		}
		if body, err := s.DeliveryBody(t.Context(), 1); err != nil || string(body) != "another body" {
			t.Errorf("the body that came again: %q, %v", body, err)
		}
		now = now.AddDate(0, 0, 90)
		prune(store.Pruned{Deliveries: old - 1})
	})
}
