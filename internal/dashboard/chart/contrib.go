package chart

import "math"

// A Part is what one thing added to a whole, or took off it.
type Part struct {
	Name  string
	Delta float64
}

// A Contrib shows parts as bars to both sides of zero.
type Contrib struct {
	ID    string
	Unit  Unit
	Parts []Part
	// IsAmount tells that they are amounts and no changes: they have no sign.
	IsAmount bool
}

// Plot draws the bars.
func (c Contrib) Plot() Plot {
	const row, zero, room = 30.0, 40.0, 42.0
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
		value := esc(c.value(p))
		if p.Delta >= 0 {
			w.rect(zero, math.Max(width, .4), y+8, 14, "cb pos")
			w.f(`<text x="%s%%" dx="-8" y="%s" class="lab end">%s<title>%s</title></text>`, num(zero), num(y+19.5), esc(cut(p.Name, 24)), esc(p.Name))
			w.f(`<text x="%s%%" dx="6" y="%s" class="val">%s</text>`, num(zero+width), num(y+19.5), value)
			continue
		}
		w.rect(zero-math.Min(width, zero), math.Max(math.Min(width, zero), .4), y+8, 14, "cb neg")
		w.f(`<text x="%s%%" dx="8" y="%s" class="lab">%s <tspan class="val2">%s</tspan><title>%s</title></text>`, num(zero), num(y+19.5), esc(cut(p.Name, 24)), value, esc(p.Name))
	}
	return Plot{id: c.ID, height: int(height), area: w.String(), class: "contrib"}
}

func (c Contrib) value(p Part) string {
	if c.IsAmount {
		return c.Unit.String(p.Delta)
	}
	return Signed(c.Unit, p.Delta)
}
