package chart

// A Heat shows values in a grid of cells, in five steps of one hue. The value
// of a cell is in its title, and in the table of the page.
type Heat struct {
	ID      string
	Unit    Unit
	Rows    []string    // their names
	Columns []string    // their names; empty ones are not written
	Values  [][]float64 // by row and column; NaN: there is none
	Cuts    []float64   // the four values at which the next step begins
	Nothing string      // what an empty cell says
	Hints   [][]Hint    // by row and column, as far as there are any
}

// A Hint says more of a cell, and where it leads.
type Hint struct{ Text, Href string }

// Plot draws the cells.
func (c Heat) Plot() Plot {
	const row = 28.0
	height := row*float64(len(c.Rows)) + 22
	left, w := &writer{}, &writer{}
	width, links := 100/float64(max(len(c.Columns), 1)), false
	for i, name := range c.Rows {
		left.aside(0, row*float64(i)+18, "lab", name, 14)
		for k, column := range c.Columns {
			v := nan
			if i < len(c.Values) && k < len(c.Values[i]) {
				v = c.Values[i][k]
			}
			class, said := "hx", c.Nothing
			if finite(v) {
				class, said = "h"+num(float64(c.step(v))), c.Unit.String(v)
			}
			hint := c.hint(i, k)
			links = links || hint.Href != ""
			w.link(hint.Href, func(w *writer) {
				w.f(`<rect x="%s%%" width="%s%%" y="%s" height="%s" rx="3" class="%s"><title>%s %s: %s%s</title></rect>`,
					num2(width*float64(k)+.25), num2(max(width-.5, .1)), num(row*float64(i)+1), num(row-2), class, esc(name), esc(column), esc(said), esc(hint.Text))
			})
		}
	}
	for k, column := range c.Columns {
		if k%2 == 0 {
			w.text(width*(float64(k)+.5), height-4, "tick mid", column)
		}
	}
	return Plot{id: c.ID, height: int(height), left: 36, leftText: left.String(), area: w.String(), class: "heat", links: links}
}

func (c Heat) hint(row, column int) (h Hint) {
	if row < len(c.Hints) && column < len(c.Hints[row]) {
		h = c.Hints[row][column]
	}
	return h
}

func (c Heat) step(v float64) (k int) {
	for k < len(c.Cuts) && k < 4 && v >= c.Cuts[k] {
		k++
	}
	return k
}
