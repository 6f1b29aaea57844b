package analytics

import (
	"math"
	"slices"
)

// The numbers of values up to which the test of ranks counts all ways to split
// them, instead of using the normal distribution: up to exactRanks however they
// are split; and where one of the two samples has no more than few and lies so
// near an end that no more than farOfFew ranks are between, for there the normal
// distribution thinks far less than it should. A change point has more than few
// on either side.
const (
	exactRanks = 20
	few        = 4
	farOfFew   = 60
)

// rankTest is the two-sided p-value of the Mann-Whitney test that two samples,
// each in order, come from the same distribution: how often chance alone sets
// them as far apart. Ties are taken into account. It is exact up to 20 values
// together, and of a sample of no more than 4 near the end of all others; else it
// is of the normal distribution with the corrections for ties and continuity. An
// empty sample gives 1.
func rankTest(a, b []float64) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 1
	}
	if len(b) < len(a) {
		a, b = b, a
	}
	var r ranked
	n, sum := len(a), int64(0)
	var e ends
	for len(a)+len(b) > 0 {
		var least float64
		if len(b) == 0 || len(a) > 0 && a[0] <= b[0] {
			least = a[0]
		} else {
			least = b[0]
		}
		inA, inB := equalTo(least, a), equalTo(least, b)
		rank := r.add(inA + inB)
		sum += int64(inA) * rank
		if n <= few {
			e.add(rank, inA+inB)
		}
		a, b = a[inA:], b[inB:]
	}
	if n <= few && r.total > exactRanks {
		if p, isNear := e.exact(r.total, n, sum); isNear {
			return p
		}
	}
	return r.pValue(n, sum)
}

// ends are the lowest and the highest of some ranks.
type ends struct{ low, high []int64 }

// endRanks is how many there are at least at each end, if there are so many.
const endRanks = few + 2*farOfFew + 1

// add takes the next ranks, which are equal.
func (e *ends) add(rank int64, times int) {
	for range min(times, endRanks) {
		if len(e.low) < endRanks {
			e.low = append(e.low, rank)
		}
		if len(e.high) == 4*endRanks {
			e.high = e.high[:copy(e.high, e.high[3*endRanks:])]
		}
		e.high = append(e.high, rank)
	}
}

// exact counts the samples of n of the ranks whose sum is as far from the mean as
// the given one or farther, among all there are. Only those near an end are
// counted, so it takes no longer for more ranks.
func (e *ends) exact(total, n int, sum int64) (p float64, isNear bool) {
	mean := int64(n) * int64(total+1)
	away := max(sum-mean, mean-sum)
	turned := make([]int64, len(e.high)) // as if they were low
	for i, rank := range e.high {
		turned[len(turned)-1-i] = 2*int64(total+1) - rank
	}
	far := 0.0
	for _, from := range [][]int64{e.low, turned} {
		over := mean - away // how much the sum may be above the least there is
		for _, rank := range from[:n] {
			over -= rank
		}
		if over > 2*farOfFew {
			return 0, false
		}
		if over >= 0 {
			far += samplesWithin(from, n, over)
		}
	}
	all := 1.0
	for i := range n {
		all *= float64(total-i) / float64(i+1)
	}
	return min(far/all, 1), true
}

// samplesWithin counts the samples of n of ordered ranks whose sum is above that
// of the least n by no more than over.
func samplesWithin(ranks []int64, n int, over int64) (count float64) {
	unit := int64(2) // all ranks but those of ties are even
	if slices.ContainsFunc(ranks[:min(len(ranks), n+int(over))], func(rank int64) bool { return rank%2 == 1 }) {
		unit = 1
	}
	over /= unit
	ways := make([][]float64, n+1) // by size of the sample, and how much its sum is above that of as many of the least, in units
	for k := range ways {
		ways[k] = make([]float64, over+1)
	}
	ways[0][0] = 1
	for i, rank := range ranks {
		if (rank-ranks[n-1])/unit > over {
			break
		}
		for k := min(n, i+1); k > 0; k-- {
			above := (rank - ranks[k-1]) / unit // as the k-th of the sample
			for s := above; s <= over; s++ {
				ways[k][s] += ways[k-1][s-above]
			}
		}
	}
	for _, w := range ways[n] {
		count += w
	}
	return count
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
	first []int64 // the first 20
	ties  float64 // the sum of t³-t over groups of t equal values
}

// add takes the next values, which are equal, and returns their rank.
func (r *ranked) add(values int) int64 {
	rank := int64(2*r.total + values + 1)
	for range min(values, exactRanks-len(r.first)) {
		r.first = append(r.first, rank)
	}
	r.total += values
	t := float64(values)
	r.ties += t*t*t - t
	return rank
}

// pValue is that of a sample of n of the values whose ranks sum to sum.
func (r *ranked) pValue(n int, sum int64) float64 {
	if r.total <= exactRanks {
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
