package analytics_test

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %v, want %v (+-%g)", what, got, want, tolerance)
	}
}

// Two samples that do not overlap: of C(m+n, n) ways to split the values only
// two are as far apart.
func TestRankTestOfKnownValues(t *testing.T) {
	t.Parallel()
	near(t, "4 below 4", analytics.RankTest([]float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}), 2.0/70, 1e-12)
	near(t, "5 below 5", analytics.RankTest([]float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}), 2.0/252, 1e-12)
	near(t, "10 above 10", analytics.RankTest(upTo(10, 20), upTo(0, 10)), 2.0/184756, 1e-15)
	near(t, "all equal", analytics.RankTest([]float64{3, 3, 3}, []float64{3, 3}), 1, 1e-12)
	near(t, "nothing", analytics.RankTest(nil, []float64{1}), 1, 0)
	// 15 below 15: U = 0, the deviation is 112.5 - 0.5 in units of sqrt(15*15*31/12).
	near(t, "15 below 15", analytics.RankTest(upTo(0, 15), upTo(15, 30)), math.Erfc(112/math.Sqrt(15*15*31/12.0)/math.Sqrt2), 1e-15)
	near(t, "many equal ones", analytics.RankTest(make([]float64, 30), make([]float64, 30)), 1, 0)
}

func upTo(from, to int) []float64 {
	var all []float64
	for i := from; i < to; i++ {
		all = append(all, float64(i))
	}
	return all
}

// The reference: U by comparing each with each, and every split of the values.
func allSplits(a, b []float64) float64 {
	all, n := slices.Concat(a, b), len(a)
	u := func(inFirst uint) float64 {
		sum := 0.0
		for i := range all {
			for j := range all {
				if inFirst>>i&1 == 1 && inFirst>>j&1 == 0 {
					switch {
					case all[i] > all[j]:
						sum++
					case all[i] == all[j]:
						sum += 0.5
					}
				}
			}
		}
		return math.Abs(sum - float64(n*len(b))/2)
	}
	seen, far, ways := u(1<<n-1), 0, 0
	for s := range uint(1) << len(all) {
		if bits.OnesCount(s) == n {
			ways++
			if u(s) >= seen {
				far++
			}
		}
	}
	return float64(far) / float64(ways)
}

func TestRankTestAgreesWithAllSplits(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		a, b := make([]float64, 1+random.IntN(5)), make([]float64, 1+random.IntN(6))
		span := 2 + random.IntN(12) // small ones make ties
		for _, s := range [][]float64{a, b} {
			for i := range s {
				s[i] = float64(random.IntN(span))
			}
		}
		near(t, "p", analytics.RankTest(a, b), allSplits(a, b), 1e-12)
	}
}

// Of a sample of few among many, every sample is compared.
func TestRankTestOfFewAgreesWithAllSamples(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		a, b := make([]float64, 1+random.IntN(4)), make([]float64, 20+random.IntN(6))
		span := 3 + random.IntN(40)
		for i := range a {
			a[i] = float64(random.IntN(span) + random.IntN(2)*random.IntN(span)/2)
		}
		for i := range b {
			b[i] = float64(random.IntN(span))
		}
		want := allSamples(a, b)
		near(t, "p", analytics.RankTest(a, b), want, 1e-12)
		near(t, "p the other way around", analytics.RankTest(b, a), want, 1e-12)
	}
	near(t, "3 above 57", analytics.RankTest(upTo(0, 57), upTo(57, 60)), 2/34220.0, 1e-15)
	near(t, "1 above 4,000", analytics.RankTest(upTo(0, 4000), upTo(4000, 4001)), 2/4001.0, 1e-15)
}

// allSamples is allSplits for a small sample among many values.
func allSamples(a, b []float64) float64 {
	all, n := slices.Concat(a, b), len(a)
	rank := make([]float64, len(all)) // how many are below, and half of those that are equal
	for i, x := range all {
		for _, y := range all {
			switch {
			case y < x:
				rank[i]++
			case y == x:
				rank[i] += 0.5
			}
		}
	}
	mean := float64(n*len(all)) / 2
	seen := -mean
	for i := range a {
		seen += rank[i]
	}
	far, ways := 0, 0
	var choose func(from, left int, sum float64)
	choose = func(from, left int, sum float64) {
		if left == 0 {
			ways++
			if math.Abs(sum) >= math.Abs(seen) {
				far++
			}
			return
		}
		for i := from; i <= len(all)-left; i++ {
			choose(i+1, left-1, sum+rank[i])
		}
	}
	choose(0, n, -mean)
	return float64(far) / float64(ways)
}

// Beyond 20 values the normal distribution is near what shuffling gives.
func TestRankTestAgreesWithShuffling(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for _, shift := range []float64{0, 1, 2} {
		a, b := make([]float64, 18), make([]float64, 25)
		for i := range a {
			a[i] = float64(random.IntN(6))
		}
		for i := range b {
			b[i] = float64(random.IntN(6)) + shift
		}
		apart := func(all []float64) float64 {
			u := 0.0
			for _, x := range all[:len(a)] {
				for _, y := range all[len(a):] {
					if x > y {
						u++
					} else if x == y {
						u += 0.5
					}
				}
			}
			return math.Abs(u - float64(len(a)*len(b))/2)
		}
		all := slices.Concat(a, b)
		seen, far := apart(all), 0
		const shuffles = 4000
		for range shuffles {
			random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			if apart(all) >= seen {
				far++
			}
		}
		near(t, "p", analytics.RankTest(a, b), float64(far)/shuffles, 0.025)
	}
}
