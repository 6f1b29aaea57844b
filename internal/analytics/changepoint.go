package analytics

import (
	"math"
	"slices"
)

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
	ordered, ranks, r := rank(series)
	best, bestScore, bestSum, sum := 0, 0.0, int64(0), int64(0)
	for i, rank := range ranks {
		// The score orders as the p-value does, and does not vanish where that
		// is too small for a number.
		if i >= changeSide && len(series)-i >= changeSide {
			if score := r.strength(i, sum); score > bestScore {
				best, bestScore, bestSum = i, score, sum
			}
		}
		sum += rank
	}
	if best == 0 {
		return split{}, false
	}
	s := split{at: best, p: r.pValue(best, bestSum)}
	if s.p >= changeCertainty {
		return s, false
	}
	var sides [2][]float64
	for _, one := range ordered {
		side := 0
		if one.at >= best {
			side = 1
		}
		sides[side] = append(sides[side], one.value)
	}
	s.before, s.after = percentile(sides[0], 0.5), percentile(sides[1], 0.5)
	return s, math.Abs(s.after-s.before) >= floor
}

// A placed value is one of a series, and its place there.
type placed struct {
	value float64
	at    int
}

// rank puts values in order and ranks them, equal ones in the middle of their
// places; the ranks are in the order of the values as given.
func rank(values []float64) (ordered []placed, ranks []int64, r ranked) {
	ordered, ranks = make([]placed, len(values)), make([]int64, len(values))
	for i, v := range values {
		ordered[i] = placed{v, i}
	}
	slices.SortFunc(ordered, func(a, b placed) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	for rest := ordered; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(one placed) bool { return one.value != rest[0].value })
		if n < 0 {
			n = len(rest)
		}
		rank := r.add(n)
		for _, one := range rest[:n] {
			ranks[one.at] = rank
		}
		rest = rest[n:]
	}
	return ordered, ranks, r
}

// strength grows as the p-value of a sample falls.
func (r *ranked) strength(n int, sum int64) float64 {
	if r.total <= exactRanks {
		return -math.Log(r.exact(n, sum))
	}
	return r.score(n, sum)
}
