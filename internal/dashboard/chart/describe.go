package chart

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Describe says in words what the fan shows, for people who can't see it.
func (c Fan) Describe() string {
	var with []Bucket
	var highest Bucket
	for _, b := range c.Buckets {
		if b.N == 0 || !finite(b.P50) {
			continue
		}
		with = append(with, b)
		if len(with) == 1 || b.P50 > highest.P50 {
			highest = b
		}
	}
	if len(with) == 0 {
		return "There is nothing to draw."
	}
	first, last := with[0], with[len(with)-1]
	s := fmt.Sprintf("The p50 %s from %s on %s to %s on %s, and was highest on %s with %s.",
		moved(first.P50, last.P50), c.Unit.String(first.P50), c.day(first.From), c.Unit.String(last.P50), c.day(last.From), c.day(highest.From), c.Unit.String(highest.P50))
	if c.Mark.Text != "" {
		s += " Marked: " + c.Mark.Text + "."
	}
	return s
}

func (c Fan) day(t time.Time) string { return day(t, c.Location, c.To.Sub(c.From)) }

func day(t time.Time, loc *time.Location, whole time.Duration) string {
	if loc != nil {
		t = t.In(loc)
	}
	if whole <= 72*time.Hour {
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan")
}

func moved(from, to float64) string {
	switch d := to - from; {
	case math.Abs(d) < math.Abs(from)*.02:
		return "stayed"
	case d > 0:
		return "rose"
	}
	return "fell"
}

// Describe says in words what the stack shows. names are those of its keys.
func (c Stack) Describe(names []string) string {
	totals := make([]float64, len(c.Keys))
	var whole float64
	for _, b := range c.Bars {
		for k := range c.Keys {
			if k < len(b.Values) {
				totals[k] += sum(b.Values[k : k+1])
			}
		}
	}
	whole = sum(totals)
	if whole == 0 {
		return "There is nothing to draw."
	}
	var parts []string
	for k, name := range names {
		if k < len(totals) && totals[k] > 0 {
			parts = append(parts, fmt.Sprintf("%s %.0f %%", name, totals[k]/whole*100))
		}
	}
	return "Of all, from the lowest part up: " + strings.Join(parts, ", ") + "."
}

// Describe says in words what the bars show.
func (c Contrib) Describe() string {
	if len(c.Parts) == 0 {
		return "Nothing changed."
	}
	parts := make([]string, 0, len(c.Parts))
	for _, p := range c.Parts {
		parts = append(parts, p.Name+" "+c.value(p))
	}
	return strings.Join(parts, ", ") + "."
}
