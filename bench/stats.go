package main

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// A latency is what a list of times comes to.
type latency struct {
	P50, P95, P99, Max time.Duration
}

// summarize sorts times in place. Percentiles are by nearest rank: an answer
// that was really seen, never one between two.
func summarize(times []time.Duration) latency {
	if len(times) == 0 {
		return latency{}
	}
	slices.Sort(times)
	return latency{
		P50: nearestRank(times, 0.50),
		P95: nearestRank(times, 0.95),
		P99: nearestRank(times, 0.99),
		Max: times[len(times)-1],
	}
}

// nearestRank is the least value of a sorted list that at least the share p
// of the list does not exceed.
func nearestRank(sorted []time.Duration, p float64) time.Duration {
	i := int(math.Ceil(p*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// median is the middle value, or the mean of the two in the middle; zero for
// an empty list.
func median[T float64 | time.Duration | int64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// A spread is a median with the least and the greatest of the values.
type spread struct{ Median, Min, Max float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	return spread{Median: median(values), Min: slices.Min(values), Max: slices.Max(values)}
}

// A tally counts answers: by status, or "error: ..." where none came.
type tally map[string]int64

func (t tally) add(other tally) {
	for k, n := range other {
		t[k] += n
	}
}

// accepted counts the answers that promise that the report or the delivery is
// stored.
func (t tally) accepted() int64 { return t["200"] + t["202"] + t["208"] }

// others lists what is in t besides the names, most frequent first.
func (t tally) others(names ...string) []string {
	rest := maps.Clone(t)
	for _, n := range names {
		delete(rest, n)
	}
	return slices.SortedFunc(maps.Keys(rest), func(a, b string) int {
		return cmp.Or(cmp.Compare(rest[b], rest[a]), cmp.Compare(a, b))
	})
}

// A schedule says when each request of an open loop is meant to be sent,
// however late the answers to those before it are.
type schedule struct {
	start    time.Time
	interval time.Duration
}

func newSchedule(start time.Time, perSecond float64) schedule {
	return schedule{start: start, interval: time.Duration(float64(time.Second) / perSecond)}
}

// at is the intended time of request i, counted from 0. The first is due one
// interval after the start.
func (s schedule) at(i int64) time.Time { return s.start.Add(time.Duration(i+1) * s.interval) }
