package analytics

import (
	"math"
	"math/bits"
	"slices"
)

// percentile interpolates between the closest of ordered values, as SQL's
// percentile_cont does. There must be one at least.
func percentile(ordered []float64, p float64) float64 {
	at := p * float64(len(ordered)-1)
	i := int(at)
	if i == len(ordered)-1 {
		return ordered[i]
	}
	return ordered[i] + (ordered[i+1]-ordered[i])*(at-float64(i))
}

// summaryOf sums up milliseconds, whose order it changes. The fractions ascend.
// Only what is asked for is put in its place, which is several times as fast as
// to sort.
func summaryOf(ms []int64, fractions ...float64) Summary {
	if len(ms) == 0 {
		return Summary{}
	}
	sum := int64(0)
	for _, v := range ms {
		sum += v
	}
	found := make([]float64, len(fractions))
	rest := ms
	for i, f := range fractions {
		at := f * float64(len(ms)-1)
		low := int(math.Floor(at))
		if k := low - (len(ms) - len(rest)); k >= 0 { // else it stands already where it belongs
			selectNth(rest, k)
			rest = rest[k:]
		}
		below, above := ms[low], ms[low]
		if at > float64(low) {
			above = slices.Min(ms[low+1:])
		}
		found[i] = float64(below) + (at-float64(low))*float64(above-below)
	}
	return Summary{int64(len(ms)), new(float64(sum) / float64(len(ms)) / 1000), percentilesOf(fractions, found)}
}

// selectNth puts the value that belongs to place n there, lesser ones before it
// and greater ones behind.
func selectNth(v []int64, n int) {
	const few = 32
	from, to := 0, len(v)
	for turns := 2 * bits.Len(uint(len(v))); to-from > few; turns-- {
		if turns == 0 { // what is left is unlike anything usual
			break
		}
		left, right := divided(v[from:to])
		switch {
		case n <= from+right:
			to = from + right + 1
		case n >= from+left:
			from += left
		default:
			return // it is among those that equal the pivot
		}
	}
	slices.Sort(v[from:to])
}

// divided puts values up to a pivot before those from it on: after it, v[:right+1]
// are not greater and v[left:] not less, and what lies between equals it.
func divided(v []int64) (left, right int) {
	a, b, c := v[0], v[len(v)/2], v[len(v)-1]
	pivot := max(min(a, b), min(max(a, b), c))
	i, j := 0, len(v)-1
	for i <= j {
		for v[i] < pivot {
			i++
		}
		for v[j] > pivot {
			j--
		}
		if i <= j {
			v[i], v[j] = v[j], v[i]
			i, j = i+1, j-1
		}
	}
	return i, j
}
