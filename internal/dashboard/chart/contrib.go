package chart

import (
	"math"
	"slices"
)

// A Part is what one thing added to a whole, or took off it.
type Part struct {
	Name  string
	Delta float64
	Href  string // where it leads; empty: nowhere
}

// A Contrib shows parts as bars to both sides of zero.
type Contrib struct {
	ID    string
	Unit  Unit
	Parts []Part
	// IsAmount tells that they are amounts and no changes: they have no sign.
	IsAmount bool
}

const (
	contribZero    = 40.0 // where zero is, in percent
	contribLetters = 22   // of a name; so many have room on a telephone, too
)

// Plot draws the bars.
func (c Contrib) Plot() Plot {
	const row, zero, room = 30.0, contribZero, 42.0
	top := 0.0
	for _, p := range c.Parts {
		if finite(p.Delta) {
			top = math.Max(top, math.Abs(p.Delta))
		}
	}
	height := row * float64(len(c.Parts))
	w := &writer{}
	w.f(`<line x1="%s%%" x2="%s%%" y1="0" y2="%s" class="base"/>`, num(zero), num(zero), num(height))
	for i, p := range c.Parts {
		y := row * float64(i)
		width := 0.0
		if top > 0 && finite(p.Delta) {
			width = math.Abs(p.Delta) / top * room
		}
		w.link(p.Href, func(w *writer) { c.bar(w, p, y, width) })
	}
	return Plot{id: c.ID, height: int(height), area: w.String(), class: "contrib", links: c.leads()}
}

// bar draws a part, width percent wide, in the row that begins at y.
func (c Contrib) bar(w *writer, p Part, y, width float64) {
	const zero = contribZero
	value := esc(c.value(p))
	if p.Delta >= 0 {
		w.rect(zero, math.Max(width, .4), y+8, 14, "cb pos")
		w.f(`<text x="%s%%" dx="-8" y="%s" class="lab end">%s<title>%s</title></text>`, num(zero), num(y+19.5), esc(Cut(p.Name, contribLetters)), esc(p.Name))
		w.f(`<text x="%s%%" dx="6" y="%s" class="val">%s</text>`, num(zero+width), num(y+19.5), value)
		return
	}
	w.rect(zero-math.Min(width, zero), math.Max(math.Min(width, zero), .4), y+8, 14, "cb neg")
	w.f(`<text x="%s%%" dx="8" y="%s" class="lab"><tspan>%s</tspan> <tspan class="val2">%s</tspan><title>%s</title></text>`, num(zero), num(y+19.5), esc(Cut(p.Name, contribLetters)), value, esc(p.Name))
}

func (c Contrib) leads() bool {
	return slices.ContainsFunc(c.Parts, func(p Part) bool { return p.Href != "" })
}

func (c Contrib) value(p Part) string {
	if c.IsAmount {
		return c.Unit.String(p.Delta)
	}
	return Signed(c.Unit, p.Delta)
}
