package store_test

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Days are unpacked beside each other, a few at a time; each comes once with what
// is its own, those that can't be read among them, and an error ends it.
func TestDaysAreReadBesideEachOther(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		s := storetest.Open(t, database)
		first := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		const days = 60
		want := map[int64]int64{} // the pipeline of each day
		for i := range int64(days) {
			at := first.AddDate(0, 0, int(i))
			save(t, s, ci.Report{Project: "a/one", Pipeline: ci.Pipeline{ID: 100 + i, CreatedAt: at}})
			want[store.DayOf(at.UnixMilli())] = 100 + i
		}
		packDays(t, s)
		read := func(each func(*store.Day) error) error {
			return s.Read(t.Context(), func(ctx context.Context, r *store.Reading) error {
				return r.Days(ctx, nil, first, first.AddDate(0, 0, days), store.Steps, each)
			})
		}
		check := func(what string) {
			t.Helper()
			got, places := map[int64]int64{}, map[*store.Day]bool{}
			err := read(func(d *store.Day) error {
				if _, twice := got[d.Day]; twice || len(d.Pipelines.ID) != 1 {
					t.Errorf("%s: day %d has %d pipelines, or came before", what, d.Day, len(d.Pipelines.ID))
				}
				got[d.Day] = d.Pipelines.ID[0]
				places[d] = true
				return nil
			})
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
			}
			if what == "all packed" && len(places) > 8 {
				t.Errorf("%d days are in memory at once", len(places))
			}
		}
		check("all packed")
		damage(t, s, database, slices.Sorted(maps.Keys(want))[days/2])
		check("one damaged")

		stop, n := errors.New("enough"), 0
		err := read(func(*store.Day) error {
			if n++; n == 5 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || n != 5 {
			t.Errorf("%d days came before and after an error, which was %v", n, err)
		}
	})
}

// damage makes the body of a day unreadable.
func damage(t *testing.T, s *store.Store, database string, day int64) {
	t.Helper()
	db, err := sql.Open(map[string]string{"postgres": "pgx", "sqlite": "sqlite"}[s.Engine()], database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE days SET body = $1 WHERE day = $2", []byte{2, 0, 1, 2, 3}, day); err != nil {
		t.Fatal(err)
	}
}
