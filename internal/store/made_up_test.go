package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// rows counts what there is of facts.
func factRows(t *testing.T, s *store.Store) [][]any {
	t.Helper()
	return storetest.Table(t, s, `SELECT (SELECT count(*) FROM projects), (SELECT count(*) FROM pipelines), (SELECT count(*) FROM jobs),
		(SELECT count(*) FROM steps), (SELECT count(*) FROM phases)`)
}

// What was made up goes, and nothing else.
func TestDemoCanBeRemoved(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		t.Helper()
		h := demo.Generate(1, time.Now(), 14)
		saveAll := func(prefix string, some []ci.Report) {
			t.Helper()
			h := demo.History{Reports: some}
			err := h.Save(t.Context(), func(ctx context.Context, r ci.Report) error {
				r.Project = prefix + r.Project
				_, err := s.Save(ctx, r)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		saveAll("", h.Reports[:50])
		want := factRows(t, s)
		for range 2 { // also after it was there before
			if err := s.MarkDemo(t.Context(), []string{"demo/acme/shop", "demo/acme/orders-api", "demo/acme/money"}); err != nil {
				t.Fatal(err)
			}
			saveAll("demo/", h.Reports)
			if has, err := s.HasDemo(t.Context()); err != nil || !has {
				t.Errorf("there is none: %v", err)
			}
			if err := s.RemoveDemo(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, factRows(t, s)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		if has, err := s.HasDemo(t.Context()); err != nil || has {
			t.Errorf("there is some: %v", err)
		}
		if err := s.MarkDemo(t.Context(), []string{"acme/shop"}); !errors.Is(err, store.ErrTaken) {
			t.Errorf("a real project was taken for a made-up one: %v", err)
		}
	})
}
