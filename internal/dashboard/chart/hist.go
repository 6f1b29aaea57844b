package chart

import "math"

// A Bin is a range of values and how many are in it.
type Bin struct {
	From, To float64
	N        int
}

// A Line is a value with a name, such as the p95.
type Line struct {
	Value float64
	Name  string
}

// A Hist shows how often which values are.
type Hist struct {
	ID     string
	Height int
	Unit   Unit // of the values
	Bins   []Bin
	Lines  []Line
}

// Plot draws the histogram.
func (c Hist) Plot() Plot {
	most, end := 0.0, 0.0
	for _, b := range c.Bins {
		most, end = math.Max(most, float64(b.N)), math.Max(end, finiteOr(b.To, 0))
	}
	f := frame{unit: Count, scale: newScale(Count, most, 4), height: float64(c.Height), head: 44}
	x := newScale(c.Unit, end, 6)
	x.max = math.Max(end, 1e-9)
	w := &writer{}
	f.grid(w)
	p := Plot{id: c.ID, height: c.Height, left: 46, class: "hist", interactive: true}
	for _, b := range c.Bins {
		x0, x1 := x.of(b.From)*100, x.of(b.To)*100
		p.hover = append(p.hover, (x0+x1)/2)
		if b.N > 0 {
			y := f.y(float64(b.N))
			w.rect(x0+.1, x1-x0-.2, y, f.plotHeight()-y, "hb")
		}
	}
	c.lines(w, f, x)
	valueAxis(w, c.Unit, x, f.height-6)
	p.leftText, p.area = f.leftAxis(), w.String()
	return p
}

// lines draws the named values, with their names at changing heights and on top
// of all lines.
func (c Hist) lines(w *writer, f frame, x scale) {
	names := &writer{}
	for i, l := range c.Lines {
		if !finite(l.Value) || l.Value > x.max {
			continue
		}
		p := x.of(l.Value) * 100
		anchor, dx := "start", 5
		if p > 85 {
			anchor, dx = "end", -5
		}
		w.f(`<line x1="%s%%" x2="%s%%" y1="%d" y2="%s" class="hl"/>`, num(p), num(p), i%3*14, num(f.plotHeight()))
		names.f(`<text x="%s%%" dx="%d" y="%d" class="tick strong halo %s">%s</text>`, num(p), dx, 10+i%3*14, anchor, esc(l.Name))
	}
	w.WriteString(names.String())
}

// valueAxis writes the labels of an axis from left to right.
func valueAxis(w *writer, u Unit, x scale, y float64) {
	for _, t := range x.ticks {
		if at := x.of(t) * 100; t <= x.max && at <= 97 {
			anchor := "mid"
			if t == 0 {
				anchor = "start"
			}
			w.text(at, y, "tick "+anchor, u.axis(t))
		}
	}
}
