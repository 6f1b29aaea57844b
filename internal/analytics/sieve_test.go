package analytics_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A filter counts the same on packed days as in SQL.
func TestFiltersCountTheSameOfDays(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, 250)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		counted := 0
		for range 300 {
			f, query := w.drawFilter(t)
			inSQL, ofDays, err := a.CountedBothWays(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(inSQL, ofDays); diff != "" {
				t.Fatalf("%s (-sql +days):\n%s", query, diff)
			}
			counted += len(ofDays)
		}
		if counted < 3000 {
			t.Errorf("only %d pipelines were counted", counted)
		}
	})
}

// What is put in its place only where that is asked for is as in sorted values.
func TestSummaries(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	fractions := []float64{0, 0.05, 0.5, 0.8, 0.95, 1}
	for n := range 400 {
		ms := make([]int64, 1+random.IntN(1+n*n/20))
		values := make([]float64, len(ms))
		for i := range ms {
			switch n % 4 {
			case 0:
				ms[i] = random.Int64N(1_000_000)
			case 1:
				ms[i] = random.Int64N(3) - 1
			case 2:
				ms[i] = int64(i)
			case 3:
				ms[i] = int64(min(i, len(ms)-i))
			}
			values[i] = float64(ms[i]) / 1000
		}
		slices.Sort(values)
		got := analytics.SummaryOf(ms, fractions...)
		for _, f := range fractions {
			if v, ok := got.Percentiles.At(f); !ok || !same(v, percentile(values, f)) {
				t.Fatalf("percentile %v of %d values is %v, want %v", f, len(ms), v, percentile(values, f))
			}
		}
	}
}
