package analytics

import "math"

// normal99 is to 99 % what normal95 is to 95 %. Many changes stand on a page,
// each of which is painted or not.
const normal99 = 2.5758293035489

// A sample is milliseconds of which one can ask the n-th smallest, from 0.
type sample struct {
	count int
	nth   func(n int) float64
}

// sampleOf is one of values in any order, which it changes.
func sampleOf(ms []int64) sample {
	return sample{len(ms), func(n int) float64 {
		selectNth(ms, n)
		return float64(ms[n])
	}}
}

// ordered is one of values in order.
func ordered(ms []float64) sample {
	return sample{len(ms), func(n int) float64 { return ms[n] }}
}

// isClear tells whether a median moved by more than chance: whether 0 lies
// outside the 99 % interval of the difference (Price and Bonett, 2002: the error
// of a median is that of two values around it, whose places follow from the
// binomial distribution). Samples of fewer than five values are never clear.
func isClear(before, after sample) bool {
	if min(before.count, after.count) < fewValues {
		return false
	}
	return math.Abs(after.median()-before.median()) > normal99*math.Hypot(before.medianError(), after.medianError())
}

func (s sample) median() float64 { return (s.nth((s.count-1)/2) + s.nth(s.count/2)) / 2 }

// medianError is the standard error of the median of five values or more.
func (s sample) medianError() float64 {
	count := float64(s.count)
	low := max(0, int(math.Round((count+1)/2-math.Sqrt(count)))-1)
	deviations := (count/2 - float64(low) - 0.5) / (math.Sqrt(count) / 2) // of the binomial distribution, to that place
	return (s.nth(s.count-1-low) - s.nth(low)) / (2 * deviations)
}

// IsRateClear tells the same of a rate: hits of so many before and after, by the
// test of two proportions.
func IsRateClear(hitsBefore, before, hitsAfter, after int64) bool {
	if min(before, after) < fewValues {
		return false
	}
	n, m := float64(before), float64(after)
	all := float64(hitsBefore+hitsAfter) / (n + m)
	change := float64(hitsAfter)/m - float64(hitsBefore)/n
	return math.Abs(change) > normal99*math.Sqrt(all*(1-all)*(1/n+1/m))
}
