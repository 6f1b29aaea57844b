package chart

import (
	"time"
)

// axisHeight is the room under a chart for the labels of its x axis.
const axisHeight = 26

// A frame is what charts over time have in common: a scale at the left, and
// time from left to right.
type frame struct {
	unit   Unit
	scale  scale
	span   span
	loc    *time.Location
	height float64
	head   float64 // pixels free above the greatest value
	xTicks int
}

// plotHeight is where the value 0 is drawn.
func (f frame) plotHeight() float64 { return f.height - axisHeight }

// y is where a value is drawn.
func (f frame) y(v float64) float64 { return f.plotHeight() - f.scale.of(v)*(f.plotHeight()-f.head) }

// leftAxis writes the labels of the y axis.
func (f frame) leftAxis() string {
	w := &writer{}
	for _, t := range f.scale.ticks {
		w.f(`<text x="38" y="%s" class="tick end">%s</text>`, num(f.y(t)+4), esc(f.unit.axis(t)))
	}
	return w.String()
}

// grid draws a line for each tick.
func (f frame) grid(w *writer) {
	for i, t := range f.scale.ticks {
		class := "grid"
		if i == 0 {
			class = "base"
		}
		w.f(`<line x1="0" x2="100%%" y1="%s" y2="%s" class="%s"/>`, num(f.y(t)), num(f.y(t)), class)
	}
}

// timeAxis writes the labels under the chart. Every other one can be hidden
// where there is no room: alt first, then alt2.
func (f frame) timeAxis(w *writer) {
	last, few := -100.0, f.xTicks <= 6
	for i, t := range timeTicks(f.span.from, f.span.to, f.loc, f.xTicks) {
		p := f.span.of(t.at)
		anchor := "mid"
		switch {
		case p < 2.5:
			p, anchor = 0, "start"
		case p > 98:
			continue
		}
		if p-last < 3 {
			continue
		}
		last = p
		switch {
		case i%2 == 1 && few:
			anchor += " alt2"
		case i%2 == 1:
			anchor += " alt"
		case i%4 == 2 && !few:
			anchor += " alt2"
		}
		w.text(p, f.height-6, "tick "+anchor, t.label)
	}
}

// A Mark is an instant with a name, such as "slower since 4 Nov".
type Mark struct {
	At   time.Time
	Text string
}

// mark draws a dotted line with its name at the side where there is room.
func (f frame) mark(w *writer, m Mark) {
	if m.At.IsZero() || !f.span.within(m.At) {
		return
	}
	p := f.span.of(m.At)
	anchor, dx := "start", 7
	if p > 60 {
		anchor, dx = "end", -7
	}
	w.f(`<line x1="%s%%" x2="%s%%" y1="0" y2="%s" class="mark"/><text x="%s%%" dx="%d" y="11" class="mark-t %s">%s</text>`,
		num(p), num(p), num(f.plotHeight()), num(p), dx, anchor, esc(m.Text))
}

// A Gap is a time of which pipelines are missing.
type Gap struct {
	From, To time.Time
	Missing  int64
}

// leastGap is how wide a gap is drawn at the least, in percent: one pipeline
// may be missing at one instant.
const leastGap = 0.5

func (f frame) gaps(w *writer, all []Gap) {
	for _, g := range all {
		x0, x1 := f.span.of(g.From), f.span.of(g.To)
		if g.To.Before(f.span.from) || g.From.After(f.span.to) {
			continue
		}
		if x1-x0 < leastGap {
			x0 = max(0, min(x0, 100-leastGap))
			x1 = x0 + leastGap
		}
		w.f(`<g>`)
		w.rect(x0, x1-x0, 0, f.plotHeight(), "gap")
		w.f(`<title>Pipelines of this time that are missing: %d</title></g>`, g.Missing)
	}
}

// A Goal is a value that should not be exceeded.
type Goal struct {
	Value    float64
	Text     string
	IsMissed bool
}

// farGoal is how far above all else a goal is still drawn: one far off would
// flatten all that is below it.
const farGoal = 1.7

// withGoals is the greatest value that must fit, goals that are near included.
func withGoals(top float64, goals []Goal) float64 {
	all := top
	for _, g := range goals {
		if top > 0 && g.Value <= top*farGoal {
			all = max(all, g.Value)
		}
	}
	return all
}

// goals draws a line for each, and what is beyond it as a zone.
func (f frame) goals(w *writer, all []Goal) {
	for _, g := range all {
		y := f.y(g.Value)
		if !finite(g.Value) || g.Value > f.scale.max {
			continue
		}
		at := y - 5
		if at < 11 { // there is no room above the line
			at = y + 13
		}
		class := "goal"
		if g.IsMissed {
			class = "goal missed"
		}
		w.f(`<g class="%s"><title>%s</title>`, class, esc(g.Text))
		w.rect(0, 100, 0, y, "zone")
		w.f(`<line x1="0" x2="100%%" y1="%s" y2="%s"/><text x="100%%" dx="-6" y="%s" class="end">%s</text></g>`, num(y), num(y), num(at), esc(g.Text))
	}
}
