package chart

import (
	"cmp"
	"math"
	"slices"
)

// A Swarm is one row of a [Beeswarm].
type Swarm struct {
	Name     string
	Points   []Single
	P50, P95 float64
	Href     string // where the row leads; empty: nowhere
}

// A Single is one value, and the number by which the page finds what it is of.
type Single struct {
	Value float64
	ID    int64
}

// A Beeswarm shows every single value of a few groups over one axis, so that
// one sees whether a whole moved or only its tail.
type Beeswarm struct {
	ID   string
	Unit Unit
	Rows []Swarm
	// Row is the height of a row; zero: 54.
	Row float64
}

// The size of a swarm, in pixels.
const (
	swarmRow   = 54.0 // unless the picture says
	swarmAxis  = 22.0
	swarmWidth = 420.0 // about what it has on a page
)

// Plot draws the groups under each other.
func (c Beeswarm) Plot() Plot {
	top := 0.0
	for _, r := range c.Rows {
		var all []float64
		for _, one := range r.kept() {
			all = append(all, one.Value)
		}
		if len(all) > 0 {
			top = math.Max(top, math.Max(quantile(all, .985), finiteOr(r.P95, 0)))
		}
	}
	row := cmp.Or(c.Row, swarmRow)
	s := newScale(c.Unit, top*1.02, 5)
	s.max = math.Max(top*1.05, 1e-9)
	height := row*float64(len(c.Rows)) + swarmAxis
	left := &writer{}
	for i, r := range c.Rows {
		left.aside(0, row*(float64(i)+.5)+4, "lab", r.Name, 9)
	}
	w := &writer{}
	crossAxis(w, c.Unit, s, height-swarmAxis, height-5)
	w.stretch(height-swarmAxis, func(w *writer) {
		for i, r := range c.Rows {
			r.draw(w, s, i, row)
		}
	})
	links := slices.ContainsFunc(c.Rows, func(r Swarm) bool { return r.Href != "" })
	return Plot{id: c.ID, height: int(height), left: 58, leftText: left.String(), area: w.String(), class: "swarm", links: links}
}

// kept are the points whose values are finite, sorted.
func (r Swarm) kept() []Single {
	all := slices.DeleteFunc(slices.Clone(r.Points), func(one Single) bool { return !finite(one.Value) })
	slices.SortFunc(all, func(a, b Single) int { return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.ID, b.ID)) })
	return all
}

func finiteOr(f, other float64) float64 {
	if finite(f) {
		return f
	}
	return other
}

// crossAxis draws an axis from left to right: lines down to bottom, labels at y.
func crossAxis(w *writer, u Unit, s scale, bottom, y float64) {
	for _, t := range s.ticks {
		if t > s.max {
			break
		}
		p := s.of(t) * 100
		anchor := "mid"
		switch {
		case t == 0:
			anchor = "start"
		case p > 97:
			anchor = "end"
		}
		w.f(`<line x1="%s%%" x2="%s%%" y1="0" y2="%s" class="grid"/>`, num(p), num(p), num(bottom))
		w.text(p, y, "tick "+anchor, u.axis(t))
	}
}

// draw places each value beside those that are near it already. The dots are
// written in the order of their numbers, which is shorter, and lead to their
// pipelines by the page's script; without it, to where the row does.
func (r Swarm) draw(w *writer, s scale, i int, row float64) {
	center, half := row*(float64(i)+.5), row/2-5
	type place struct {
		x, y float64
		id   int64
	}
	var placed []place
	for _, one := range r.kept() {
		at := place{s.of(one.Value) * swarmWidth, 0, one.ID}
		for try := range 1 + 2*int(half/3.6) {
			at.y = float64((try+1)/2) * 3.6
			if try%2 == 1 {
				at.y = -at.y
			}
			free := true
			for k := len(placed) - 1; k >= 0 && at.x-placed[k].x < 4; k-- {
				if math.Hypot(at.x-placed[k].x, at.y-placed[k].y) < 3.9 {
					free = false
					break
				}
			}
			if free {
				break
			}
		}
		placed = append(placed, at)
	}
	if len(placed) == 0 {
		return
	}
	slices.SortStableFunc(placed, func(a, b place) int { return cmp.Compare(a.id, b.id) })
	var p pen
	var ids []int64
	for _, at := range placed {
		p.dot(math.Round(at.x/swarmWidth*1000), math.Round(center+at.y))
		ids = append(ids, at.id)
	}
	w.link(r.Href, func(w *writer) {
		w.f(`<path d="%s" class="dots sw%d" data-kind="%s" data-ids="%s"><title>%s</title></path>`, p.b.String(), i, esc(r.Name), dataIDs(ids), esc(r.Name))
	})
	for _, q := range []struct {
		v     float64
		class string
	}{{r.P50, "q q50"}, {r.P95, "q"}} {
		if finite(q.v) {
			w.f(`<path d="M%s %sV%s" class="%s"/>`, num(s.of(q.v)*1000), num(center-half), num(center+half), q.class)
		}
	}
}
