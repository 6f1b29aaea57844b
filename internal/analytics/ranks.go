package analytics

import (
	"cmp"
	"math"
	"slices"
)

// exactRanks is the number of values up to which the test of ranks counts all
// ways to split them, instead of using the normal distribution.
const exactRanks = 20

// rankTest is the two-sided p-value of the Mann-Whitney test that two samples
// come from the same distribution: how often chance alone sets them as far
// apart. Ties are taken into account. Up to 20 values together it is exact;
// beyond, the normal distribution with the corrections for ties and continuity.
// An empty sample gives 1.
func rankTest(a, b []float64) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 1
	}
	r := rank(slices.Concat(a, b))
	sum := int64(0)
	for i := range a {
		sum += r.doubled[i]
	}
	return r.pValue(len(a), sum)
}

// ranked is the ranks of some values, twice as large so that the middle of
// tied ones is whole.
type ranked struct {
	doubled []int64 // in order of the values as given: 2, 4, 6 ... without ties
	ties    float64 // the sum of t³-t over groups of t equal values
}

// rank orders values, equal ones in the middle of their places.
func rank(values []float64) ranked {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	r := ranked{doubled: make([]int64, len(values))}
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			r.doubled[i] = int64(from + 1 + to)
		}
		t := float64(to - from)
		r.ties += t*t*t - t
		from = to
	}
	return r
}

// pValue is that of a sample of n of the values whose doubled ranks sum to sum.
func (r ranked) pValue(n int, sum int64) float64 {
	if len(r.doubled) <= exactRanks {
		return r.exact(n, sum)
	}
	return math.Erfc(r.score(n, sum) / math.Sqrt2)
}

// score is how many standard deviations the sum is away from its mean, never
// negative.
func (r ranked) score(n int, sum int64) float64 {
	total, first := float64(len(r.doubled)), float64(n)
	second := total - first
	variance := first * second / 12 * (total + 1 - r.ties/(total*(total-1)))
	if variance <= 0 {
		return 0 // all values are equal
	}
	away := math.Abs(float64(sum)/2-first*(total+1)/2) - 0.5
	return max(0, away) / math.Sqrt(variance)
}

// exact counts the samples of n whose sum is as far from the mean as the given
// one or farther, among all there are.
func (r ranked) exact(n int, sum int64) float64 {
	most := int64(0)
	for _, d := range r.doubled {
		most += d
	}
	ways := make([][]float64, n+1) // by size of the sample and its sum
	for k := range ways {
		ways[k] = make([]float64, most+1)
	}
	ways[0][0] = 1
	for i, d := range r.doubled {
		for k := min(n, i+1); k > 0; k-- {
			for s := most; s >= d; s-- {
				ways[k][s] += ways[k-1][s-d]
			}
		}
	}
	mean := int64(n) * int64(len(r.doubled)+1) // of the doubled sum
	away := max(sum-mean, mean-sum)
	all, far := 0.0, 0.0
	for s, w := range ways[n] {
		all += w
		if int64(s)-mean >= away || mean-int64(s) >= away {
			far += w
		}
	}
	return far / all
}
