package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func TestBackfillIsKept(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		if _, found, err := s.Backfill(t.Context(), "gitlab x"); found || err != nil {
			t.Fatal(found, err)
		}
		at := func(h int) time.Time { return time.Date(2026, 11, 20, h, 0, 0, 5e6, time.UTC) }
		for _, want := range []store.Backfill{
			{Name: "gitlab x", Started: at(9)},
			{Name: "gitlab x", Since: at(1), Through: at(2), Started: at(9)},
			{Name: "gitlab x", Since: at(1), Through: at(9), Started: at(9), Finished: at(10)},
			{Name: "gitlab x", Since: at(9), Started: at(11)},
			{Name: "gitlab y", Started: at(12)},
		} {
			if err := s.SetBackfill(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			got, found, err := s.Backfill(t.Context(), want.Name)
			if diff := cmp.Diff(want, got); diff != "" || !found || err != nil {
				t.Errorf("found %v, %v (-want +got):\n%s", found, err, diff)
			}
		}
	})
}
