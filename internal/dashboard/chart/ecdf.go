package chart

import "math"

// A Point of a curve: Share of the values, from 0 to 1, are not above Value.
type Point struct{ Value, Share float64 }

// A Curve is one line of an [ECDF]: its points, which rise.
type Curve struct {
	Name   string
	Points []Point
	// Hrefs are where the line leads between each of the picture's edges and the
	// next, as far as it leads anywhere; the last is of what is beyond all edges.
	Hrefs []string
}

// An ECDF shows, for each value, which part is not greater; one line for each
// of two groups.
type ECDF struct {
	ID     string
	Height int
	Unit   Unit
	Curves []Curve // the first is what one compares with
}

// edgesAtMost is into how many parts an axis is divided.
const edgesAtMost = 24

// end is where the axis ends: few of the greatest values need no room.
func (c ECDF) end() (end float64) {
	for _, curve := range c.Curves {
		for _, p := range curve.Points {
			if finite(p.Value) && p.Share <= .995 {
				end = math.Max(end, p.Value)
			}
		}
	}
	return end
}

// Edges are readable values from 0 up to where the axis ends, between which the
// curves lead to what they are made of.
func (c ECDF) Edges() []float64 {
	end := math.Max(math.Min(c.end(), 1e12), 1e-3)
	step := c.Unit.step(end, edgesAtMost)
	edges := []float64{0}
	for i := 1; edges[i-1] < end; i++ {
		edges = append(edges, float64(i)*step)
	}
	return edges
}

// Below is which part of the values is less than v.
func (c Curve) Below(v float64) (share float64) {
	for _, p := range c.Points {
		if finite(p.Value) && finite(p.Share) && p.Value < v {
			share = upTo(p.Share, 1)
		}
	}
	return share
}

// Plot draws the curves. One reads them at the edges.
func (c ECDF) Plot() Plot {
	f := frame{unit: Percent, scale: newScale(Percent, 100, 4), height: float64(c.Height), head: 8}
	edges := c.Edges()
	x := newScale(c.Unit, c.end(), 6)
	x.max = edges[len(edges)-1]
	w := &writer{}
	f.grid(w)
	w.stretch(f.plotHeight()+2, func(w *writer) {
		for i, curve := range c.Curves {
			line := &pen{}
			curve.draw(line, f, x, 0, math.Inf(1))
			w.path(line, "ln e"+num(float64(i)))
		}
		for _, curve := range c.Curves {
			curve.lead(w, f, x, edges)
		}
	})
	valueAxis(w, c.Unit, x, f.height-6)
	p := Plot{id: c.ID, height: c.Height, left: 46, leftText: f.leftAxis(), area: w.String(), class: "ecdf", interactive: true, links: true}
	for _, edge := range edges[1:] {
		p.hover = append(p.hover, x.of(edge)*100)
	}
	return p
}

// draw draws the staircase of the values from one on to below another.
func (c Curve) draw(line *pen, f frame, x scale, from, to float64) {
	share := c.Below(from)
	for _, p := range c.Points {
		if finite(p.Value) && finite(p.Share) && p.Value >= from && p.Value < to {
			line.to(x.of(p.Value)*1000, f.y(share*100))
			share = upTo(p.Share, 1)
			line.to(x.of(p.Value)*1000, f.y(share*100))
		}
	}
}

// lead lays over each part of the staircase what leads somewhere: a line is too
// thin to hit.
func (c Curve) lead(w *writer, f frame, x scale, edges []float64) {
	for k, href := range c.Hrefs[:min(len(c.Hrefs), len(edges))] {
		to := math.Inf(1)
		if k+1 < len(edges) {
			to = edges[k+1]
		}
		line := &pen{}
		c.draw(line, f, x, edges[k], to)
		if href != "" && line.b.Len() > 0 {
			w.link(href, func(w *writer) {
				w.f(`<path d="%s" class="ln hit-line"><title>%s</title></path>`, line.b.String(), esc(c.Name))
			})
		}
	}
}
