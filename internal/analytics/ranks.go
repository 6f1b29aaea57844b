package analytics

import (
	"math"
	"slices"
)

// The numbers of values up to which the test of ranks counts all ways to split
// them, instead of using the normal distribution: however they are split, and
// where one of the two samples has but a few, of which the normal distribution
// thinks far less than they say.
const (
	exactRanks = 20
	exactOfFew = 200
	few        = 4 // less than a change point has on a side, which compares many splits
)

// rankTest is the two-sided p-value of the Mann-Whitney test that two samples,
// each in order, come from the same distribution: how often chance alone sets
// them as far apart. Ties are taken into account. Up to 20 values together it is
// exact, and up to 200 where one sample has no more than 4; beyond, the normal
// distribution with the corrections for ties and continuity. An empty sample
// gives 1.
func rankTest(a, b []float64) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 1
	}
	var r ranked
	first, sum := len(a), int64(0)
	for len(a)+len(b) > 0 {
		var least float64
		if len(b) == 0 || len(a) > 0 && a[0] <= b[0] {
			least = a[0]
		} else {
			least = b[0]
		}
		inA, inB := equalTo(least, a), equalTo(least, b)
		sum += int64(inA) * r.add(inA+inB)
		a, b = a[inA:], b[inB:]
	}
	return r.pValue(first, sum)
}

// equalTo is how many of ordered values are the least one.
func equalTo(least float64, ordered []float64) int {
	for i, v := range ordered {
		if v != least {
			return i
		}
	}
	return len(ordered)
}

// ranked is the ranks of some values, in order, twice as large so that the
// middle of tied ones is whole: 2, 4, 6 ... without ties.
type ranked struct {
	total int
	first []int64 // the first 200
	ties  float64 // the sum of t³-t over groups of t equal values
}

// add takes the next values, which are equal, and returns their rank.
func (r *ranked) add(values int) int64 {
	rank := int64(2*r.total + values + 1)
	for range min(values, exactOfFew-len(r.first)) {
		r.first = append(r.first, rank)
	}
	r.total += values
	t := float64(values)
	r.ties += t*t*t - t
	return rank
}

// pValue is that of a sample of n of the values whose ranks sum to sum.
func (r *ranked) pValue(n int, sum int64) float64 {
	if r.total <= exactRanks || r.total <= exactOfFew && min(n, r.total-n) <= few {
		return r.exact(n, sum)
	}
	return math.Erfc(r.score(n, sum) / math.Sqrt2)
}

// score is how many standard deviations the sum is away from its mean, never
// negative.
func (r *ranked) score(n int, sum int64) float64 {
	total, first := float64(r.total), float64(n)
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
func (r *ranked) exact(n int, sum int64) float64 {
	mean := int64(n) * int64(r.total+1)
	away := max(sum-mean, mean-sum)
	n = min(n, r.total-n) // what is left out of a sample is as far away
	mean = int64(n) * int64(r.total+1)
	unit := int64(2)
	if slices.ContainsFunc(r.first, func(rank int64) bool { return rank%2 == 1 }) {
		unit = 1
	}
	most := int64(n) * r.first[len(r.first)-1] / unit
	ways := make([][]float64, n+1) // by size of the sample and its sum, in units
	for k := range ways {
		ways[k] = make([]float64, most+1)
	}
	ways[0][0] = 1
	for i, rank := range r.first {
		rank /= unit
		for k := min(n, i+1); k > 0; k-- {
			greatest := min(most, int64(k)*rank) // of k ranks up to this one
			to := ways[k][rank : greatest+1]
			for s, w := range ways[k-1][:len(to)] {
				to[s] += w
			}
		}
	}
	all, far := 0.0, 0.0
	for s, w := range ways[n] {
		all += w
		if d := int64(s)*unit - mean; max(d, -d) >= away {
			far += w
		}
	}
	return far / all
}
