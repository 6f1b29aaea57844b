package analytics

import "math"

// Limits of a change point.
const (
	changeCertainty = 0.001 // the p-value must be below
	changeSide      = 5     // values on each side, at the least
)

// A split is where a series changed its level.
type split struct {
	at            int     // the first value after the change
	p             float64 // of the Mann-Whitney test between the two sides
	before, after float64 // the medians
}

// changePoint finds the split of a series with the smallest p-value. It is one
// only where p is below 0.001, each side has five values, and the medians
// differ by floor. Time grows as n log n.
func changePoint(series []float64, floor float64) (split, bool) {
	r := rank(series)
	best, bestScore, sum := 0, 0.0, int64(0)
	for i, d := range r.doubled {
		// The score orders as the p-value does, and does not vanish where that
		// is too small for a number.
		if i >= changeSide && len(series)-i >= changeSide {
			if score := r.strength(i, sum); score > bestScore {
				best, bestScore = i, score
			}
		}
		sum += d
	}
	if best == 0 {
		return split{}, false
	}
	s := split{best, rankTest(series[:best], series[best:]), median(series[:best]), median(series[best:])}
	return s, s.p < changeCertainty && math.Abs(s.after-s.before) >= floor
}

// strength grows as the p-value of a sample falls.
func (r ranked) strength(n int, sum int64) float64 {
	if len(r.doubled) <= exactRanks {
		return -math.Log(r.exact(n, sum))
	}
	return r.score(n, sum)
}
