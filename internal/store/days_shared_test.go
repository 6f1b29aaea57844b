package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Readings that have days in common get what each would get by itself, packed,
// made of rows or damaged, in whatever order they ask and whether there is room
// for all; and what they had in common is gone afterwards.
func TestSharedDaysAreTheDays(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		s := storetest.Open(t, database)
		random := rand.New(rand.NewPCG(21, 22))
		for range 150 {
			save(t, s, randomReport(random))
		}
		packDays(t, s)
		for range 20 { // some are made of rows
			save(t, s, randomReport(random))
		}
		damage(t, s, database, store.DayOf(time.Date(2026, 11, 13, 0, 0, 0, 0, time.UTC).UnixMilli()))
		var projects []int64
		for _, name := range []string{"a/one", "a/two"} {
			p, err := s.Project(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			projects = append(projects, p.ID)
		}
		from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		read := func(ctx context.Context, of []int64, want store.Parts) map[string]string {
			all := map[string]string{}
			if err := s.Read(ctx, func(ctx context.Context, r *store.Reading) error {
				return r.Days(ctx, of, from, from.AddDate(0, 1, 0), want, func(d *store.Day) error {
					key := fmt.Sprint(d.Project, "/", d.Day)
					if _, twice := all[key]; twice {
						t.Errorf("%s comes twice", key)
					}
					all[key] = store.DayBytes(d, want)
					return nil
				})
			}); err != nil {
				t.Error(err)
			}
			return all
		}
		shared, apart := store.SharedNumbers(s), t.Context()
		for _, room := range []int64{0, store.MaxShared - 200, store.MaxShared} {
			shared.Store(room)
			ctx, done := s.ShareDays(t.Context())
			var wg sync.WaitGroup
			for i := range 12 {
				of, want := [][]int64{projects, projects[:1], nil}[i%3], store.Parts(i%2)
				wg.Go(func() {
					if diff := cmp.Diff(read(apart, of, want), read(ctx, of, want)); diff != "" {
						t.Errorf("with room for %d, days in common are not the days (-own +common):\n%s", store.MaxShared-room, diff)
					}
				})
			}
			wg.Wait()
			if kept := shared.Load() - room; (kept > 0) != (room < store.MaxShared) {
				t.Errorf("with room for %d, %d numbers are kept", store.MaxShared-room, kept)
			}
			done()
			if left := shared.Load() - room; left != 0 {
				t.Errorf("%d numbers stay", left)
			}
			if len(read(ctx, projects, store.Steps)) == 0 || shared.Load() != room {
				t.Error("a reading after the end of it keeps days, or finds none")
			}
		}
		shared.Store(0)

		// What is acknowledged before a page is begun is on it.
		ctx, done := s.ShareDays(t.Context())
		read(ctx, projects, 0)
		save(t, s, randomReport(random))
		later, doneLater := s.ShareDays(t.Context())
		if diff := cmp.Diff(read(t.Context(), projects, 0), read(later, projects, 0)); diff != "" {
			t.Errorf("a later page has the days of an earlier one (-own +common):\n%s", diff)
		}
		done()
		doneLater()
	})
}
