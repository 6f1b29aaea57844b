package chart

import (
	"math"
	"time"
)

// A scale is an axis from 0 up: its end and its ticks, which rise.
type scale struct {
	max   float64
	ticks []float64
}

// steps are the distances of ticks that people read easily.
func (u Unit) steps() []float64 {
	if u == Seconds {
		return []float64{
			.1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 3 * 3600, 4 * 3600, 6 * 3600, 12 * 3600,
			86400, 2 * 86400, 5 * 86400, 10 * 86400, 20 * 86400, 50 * 86400, 100 * 86400,
		}
	}
	return nil
}

// step is the least readable distance that makes at most want ticks of top.
func (u Unit) step(top float64, want int) float64 {
	for _, s := range u.steps() {
		if top/s <= float64(want) {
			return s
		}
	}
	raw := top / float64(want)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5, 10} {
		if s := power * f; s >= raw*(1-1e-9) && (u != Count || s >= 1) {
			return s
		}
	}
	return 1 // whole things, few of them
}

// newScale makes an axis on which top fits, with about want ticks.
func newScale(u Unit, top float64, want int) scale {
	if !finite(top) || top <= 0 {
		top = 1
		if u == Seconds {
			top = 10
		}
	}
	top = math.Min(top, 1e15)
	if u == Percent {
		top = math.Min(top, 100)
	}
	step := u.step(top, want)
	s := scale{max: top * 1.04}
	if up := step * math.Ceil(top/step); up-top < step*.6 { // the next tick is near
		s.max = up
	}
	if u == Percent {
		s.max = math.Min(s.max, 100)
	}
	for i := 0; float64(i)*step <= s.max*(1+1e-9) && i <= 50; i++ {
		s.ticks = append(s.ticks, float64(i)*step)
	}
	return s
}

// of is where v stands on an axis from 0 to 1.
func (s scale) of(v float64) float64 { return upTo(v/s.max, 1) }

// A timeTick is a labelled instant.
type timeTick struct {
	at    time.Time
	label string
}

// timeTicks are at most about want readable instants of [from, to), on the
// clock of loc.
func timeTicks(from, to time.Time, loc *time.Location, want int) []timeTick {
	if loc == nil {
		loc = time.UTC
	}
	from, to = from.In(loc), to.In(loc)
	hours := to.Sub(from).Hours()
	if hours <= 0 || want < 1 {
		return nil
	}
	for _, h := range []int{1, 2, 3, 6, 12} {
		if hours/float64(h) <= float64(want) {
			return every(from, to, clockStart(from, h), func(t time.Time) time.Time { return t.Add(time.Duration(h) * time.Hour) }, clockLabel)
		}
	}
	day := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, loc)
	for _, d := range []int{1, 2, 3, 4, 7, 14} {
		if hours/24/float64(d) <= float64(want) {
			return every(from, to, day, func(t time.Time) time.Time { return t.AddDate(0, 0, d) }, func(t time.Time) string { return t.Format("2 Jan") })
		}
	}
	month := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, loc)
	for _, m := range []int{1, 2, 3, 6, 12} {
		if hours/24/30/float64(m) <= float64(want) || m == 12 {
			return every(from, to, month, func(t time.Time) time.Time { return t.AddDate(0, m, 0) }, monthLabel)
		}
	}
	return nil
}

func clockStart(t time.Time, hours int) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour()/hours*hours, 0, 0, 0, t.Location())
}

func clockLabel(t time.Time) string {
	if t.Hour() == 0 && t.Minute() == 0 {
		return t.Format("2 Jan")
	}
	return t.Format("15:04")
}

func monthLabel(t time.Time) string {
	if t.Month() == time.January {
		return t.Format("Jan 2006")
	}
	return t.Format("Jan")
}

func every(from, to, start time.Time, next func(time.Time) time.Time, label func(time.Time) string) (all []timeTick) {
	for t := start; t.Before(to) && len(all) < 100; t = next(t) {
		if !t.Before(from) {
			all = append(all, timeTick{t, label(t)})
		}
	}
	return all
}

// A span is a time axis.
type span struct{ from, to time.Time }

// of is where t stands, in percent, cut off at the edges.
func (s span) of(t time.Time) float64 {
	whole := s.to.Sub(s.from).Seconds()
	if whole <= 0 {
		return 50
	}
	return upTo(t.Sub(s.from).Seconds()/whole*100, 100)
}

// within tells whether t is on the axis.
func (s span) within(t time.Time) bool { return !t.Before(s.from) && !t.After(s.to) }
