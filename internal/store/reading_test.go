package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

const endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT (i + 1) % 1000 FROM n) SELECT COUNT(*) FROM n"

// numberOf asks a query for one number.
func numberOf(ctx context.Context, s *store.Store, query string) (n int, err error) {
	err = s.Read(ctx, func(ctx context.Context, read *store.Reading) error {
		return read.Rows(ctx, query, nil, func(scan store.Scan) error { return scan(&n) })
	})
	return n, err
}

// A question whose asker has gone is given up at once; it is not the database
// that is away.
func TestReadEndsWithItsAsker(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if _, err := numberOf(ctx, s, endless); !errors.Is(err, context.Canceled) && ctx.Err() == nil || errors.Is(err, store.ErrSlow) || err == nil {
			t.Errorf("%v, want that it was cancelled", err)
		}
		if n, err := numberOf(t.Context(), s, "SELECT COUNT(*) FROM pipelines"); n != 0 || err != nil {
			t.Errorf("the next question: %d, %v", n, err)
		}
	})
}

// No question takes longer than a reader may: a query that would never end is
// cut off.
func TestReadIsCutOff(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		s, err := store.Open(t.Context(), store.Config{Database: database, ReadLimit: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if _, err := numberOf(t.Context(), s, endless); !errors.Is(err, store.ErrSlow) {
			t.Errorf("%v, want ErrSlow", err)
		}
	})
}

// All queries of an answer see one state, whatever is saved between them.
func TestReadSeesOneState(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		err := s.Read(t.Context(), func(ctx context.Context, read *store.Reading) error {
			for range 2 {
				var n int
				if err := read.Rows(ctx, "SELECT COUNT(*) FROM pipelines", nil, func(scan store.Scan) error { return scan(&n) }); err != nil {
					return err
				}
				if n != 0 {
					t.Errorf("%d pipelines appeared", n)
				}
				if _, err := s.Save(context.WithoutCancel(ctx), told(1)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := numberOf(t.Context(), s, "SELECT COUNT(*) FROM pipelines"); n != 1 || err != nil {
			t.Errorf("afterwards: %d, %v", n, err)
		}
	})
}
