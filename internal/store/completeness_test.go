package store_test

import (
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// What is here of a project is counted for the CI system that is asked: a mirror
// of it may be built elsewhere, and the original's reports name nobody.
func TestCountSince(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		now := time.Now().Truncate(time.Second)
		for i, provider := range []string{"gitlab", "github", "github", ""} {
			for day := range 3 {
				p := ci.Pipeline{ID: int64(10*i + day + 1), CreatedAt: now.Add(-time.Duration(day) * 24 * time.Hour)}
				if _, err := s.Save(t.Context(), ci.Report{Provider: provider, Project: "acme/shop", Source: ci.Push, Pipeline: p}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for provider, want := range map[string]int64{"gitlab": 4, "github": 6, "gitea": 2} {
			if got, err := s.CountSince(t.Context(), provider, "acme/shop", now.Add(-24*time.Hour)); got != want || err != nil {
				t.Errorf("%d of %s, %v, want %d", got, provider, err, want)
			}
		}
		if got, err := s.CountSince(t.Context(), "gitlab", "nobody", now); got != 0 || err != nil {
			t.Errorf("%d of nobody's, %v", got, err)
		}
	})
}
