package analytics

import "slices"

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

// median is the middle of values in any order.
func median(values []float64) float64 {
	return percentile(slices.Sorted(slices.Values(values)), 0.5)
}
