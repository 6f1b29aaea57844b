package chart

import (
	"math"
	"slices"
)

// quantile is for the layout alone: where an axis ends. What is told to people
// is computed elsewhere.
func quantile(values []float64, p float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return math.NaN()
	}
	at := p * float64(len(s)-1)
	low := int(at)
	if low+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[low] + (at-float64(low))*(s[low+1]-s[low])
}
