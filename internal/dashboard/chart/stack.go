package chart

import (
	"math"
	"time"
)

// A Bar is a slice of time with one value for each key.
type Bar struct {
	From, To time.Time
	Values   []float64
	Open     bool // it has not ended
}

// A Stack shows what a whole is made of, over time.
type Stack struct {
	ID       string
	Height   int
	Unit     Unit
	From, To time.Time
	Location *time.Location
	Keys     []string // classes k-KEY, the lowest part first
	Bars     []Bar
	Mark     Mark
	Gaps     []Gap
	XTicks   int
}

// Plot draws the stack.
func (c Stack) Plot() Plot {
	top := 0.0
	for _, b := range c.Bars {
		top = math.Max(top, sum(b.Values))
	}
	f := frame{
		unit: c.Unit, scale: newScale(c.Unit, top, 4), span: span{c.From, c.To}, loc: c.Location,
		height: float64(c.Height), head: 8, xTicks: c.XTicks,
	}
	if c.Mark.Text != "" {
		f.head = 26
	}
	w := &writer{}
	f.gaps(w, c.Gaps)
	f.grid(w)
	w.stretch(f.height, func(w *writer) {
		for k, key := range c.Keys {
			c.part(w, f, k, key)
		}
	})
	f.mark(w, c.Mark)
	f.timeAxis(w)
	p := Plot{id: c.ID, height: c.Height, left: 46, leftText: f.leftAxis(), area: w.String(), class: "stack", interactive: true}
	for _, b := range c.Bars {
		p.hover = append(p.hover, (f.span.of(b.From)+f.span.of(b.To))/2)
	}
	return p
}

// part draws one key of all bars: as one path, and another for those that have
// not ended, since a page has hundreds of bars.
func (c Stack) part(w *writer, f frame, k int, key string) {
	var ended, open pen
	for _, b := range c.Bars {
		if k >= len(b.Values) || !finite(b.Values[k]) || b.Values[k] <= 0 {
			continue
		}
		p := &ended
		if b.Open {
			p = &open
		}
		low := sum(b.Values[:k])
		y1, y0 := f.y(low+b.Values[k]), f.y(low)
		x0, x1 := f.span.of(b.From)*10, f.span.of(b.To)*10
		p.bar(x0+(x1-x0)*.16, y1, (x1-x0)*.68, math.Max(y0-y1-.8, .6))
	}
	w.f(`<g class="k-%s">`, esc(key))
	w.path(&ended, "b")
	w.path(&open, "b open")
	w.f(`</g>`)
}

// sum adds what is finite and above zero.
func sum(values []float64) (total float64) {
	for _, v := range values {
		if finite(v) && v > 0 {
			total += v
		}
	}
	return total
}
