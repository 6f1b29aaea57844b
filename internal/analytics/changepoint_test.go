package analytics_test

import (
	"math/rand/v2"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// noisy gives values around a level.
func noisy(random *rand.Rand, n int, level, spread float64) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = level + spread*random.NormFloat64()
	}
	return all
}

// The split found is the one of the smallest p-value of all, each tested by
// itself.
func TestChangePointIsTheBestOfAllSplits(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for range 40 {
		first, second := 5+random.IntN(40), 5+random.IntN(40)
		series := append(noisy(random, first, 600, 30), noisy(random, second, 600+300*random.Float64(), 30)...)
		best := 1.0
		for at := 5; at <= len(series)-5; at++ {
			best = min(best, analytics.RankTest(series[:at], series[at:]))
		}
		got, found := analytics.FindChangePoint(series, 0)
		if found != (best < 0.001) {
			t.Errorf("found is %t, and the smallest p-value %g", found, best)
		}
		if found {
			near(t, "p", got.P, best, 1e-12)
			near(t, "p at the split", analytics.RankTest(series[:got.At], series[got.At:]), best, 1e-12)
		}
	}
}

func TestChangePointIsWhereTheLevelChanged(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	series := append(noisy(random, 300, 600, 20), noisy(random, 200, 760, 20)...)
	got, found := analytics.FindChangePoint(series, 60)
	if !found || got.At != 300 {
		t.Errorf("found is %t at %d, want 300", found, got.At)
	}
	near(t, "rise", got.After-got.Before, 160, 6)
	if _, found := analytics.FindChangePoint(series, 200); found {
		t.Error("a rise below the floor is a change point")
	}
	for _, series := range [][]float64{nil, {1}, upTo(0, 9), make([]float64, 100), noisy(random, 400, 600, 20)} {
		if got, found := analytics.FindChangePoint(series, 1); found {
			t.Errorf("found one in a series of %d without: %+v", len(series), got)
		}
	}
}

// 100,000 values are a matter of milliseconds.
func TestChangePointOfManyValues(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 10))
	series := append(noisy(random, 70_000, 600, 50), noisy(random, 30_000, 640, 50)...)
	got, found := analytics.FindChangePoint(series, 30)
	if !found || got.At < 69_900 || got.At > 70_100 || got.P != 0 {
		t.Errorf("found is %t: %+v", found, got)
	}
}
