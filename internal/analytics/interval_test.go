package analytics_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// Wilson's ends are where a rate p would be 1.96 deviations from what was seen.
func TestWilson(t *testing.T) {
	t.Parallel()
	const z = 1.959963984540054
	for _, c := range [][2]int64{{1, 10}, {5, 10}, {3, 200}, {199, 200}} {
		i := analytics.Wilson(c[0], c[1])
		rate, n := float64(c[0])/float64(c[1]), float64(c[1])
		for _, p := range []float64{i.Low, i.High} {
			near(t, "deviations", math.Abs(rate-p)/math.Sqrt(p*(1-p)/n), z, 1e-9)
		}
	}
	for _, c := range []struct {
		hits, n int64
		want    analytics.Interval
	}{{0, 0, analytics.Interval{Low: 0, High: 1}}, {0, 10, analytics.Interval{Low: 0, High: 0.27753279}}, {10, 10, analytics.Interval{Low: 0.72246721, High: 1}}} {
		got := analytics.Wilson(c.hits, c.n)
		near(t, "low", got.Low, c.want.Low, 1e-8)
		near(t, "high", got.High, c.want.High, 1e-8)
	}
}

// Drawing the percentile alone gives what drawing all values gives.
func TestResamplesAreAsDrawnInFull(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	for _, n := range []int{1, 2, 7, 40} {
		ordered := noisy(random, n, 100, 10)
		slices.Sort(ordered)
		for _, p := range []float64{0, 0.5, 0.8, 0.95, 1} {
			const draws = 6000
			short, full := make([]float64, draws), make([]float64, draws)
			sample := make([]float64, n)
			for i := range draws {
				short[i] = analytics.Resampled(random, ordered, p)
				for k := range sample {
					sample[k] = ordered[random.IntN(n)]
				}
				slices.Sort(sample)
				full[i] = analytics.Percentile(sample, p)
			}
			if d := distance(short, full); d > 0.04 {
				t.Errorf("p%g of %d: the distributions are %g apart", 100*p, n, d)
			}
		}
	}
}

// distance is the greatest one between two distributions (Kolmogorov-Smirnov).
func distance(a, b []float64) float64 {
	slices.Sort(a)
	slices.Sort(b)
	most := 0.0
	for _, x := range slices.Concat(a, b) {
		i, _ := slices.BinarySearch(a, math.Nextafter(x, math.Inf(1)))
		j, _ := slices.BinarySearch(b, math.Nextafter(x, math.Inf(1)))
		most = max(most, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	return most
}

// Of 100 intervals about 95 hold the true difference, and the same values give
// the same interval.
func TestIntervalsHoldTheTruth(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(13, 14))
	held := map[string]int{}
	const trials = 300
	for range trials {
		a, b := noisy(random, 60, 600, 50), noisy(random, 40, 640, 50)
		slices.Sort(a)
		slices.Sort(b)
		median := analytics.PercentileDifference(a, b, 0.5)
		if again := analytics.PercentileDifference(a, b, 0.5); again != median {
			t.Fatalf("%v, and then %v", median, again)
		}
		for name, i := range map[string]analytics.SecondsInterval{"median": median, "mean": analytics.MeanDifference(a, b)} {
			if i.LowS <= 40 && 40 <= i.HighS {
				held[name]++
			}
		}
	}
	for name, n := range held {
		if share := float64(n) / trials; share < 0.9 || share > 0.99 {
			t.Errorf("%s: %g of the intervals hold the truth, want about 0.95", name, share)
		}
	}
	if i := analytics.PercentileDifference(nil, []float64{1}, 0.5); !math.IsInf(i.LowS, -1) || !math.IsInf(i.HighS, 1) {
		t.Errorf("of nothing: %v", i)
	}
}
