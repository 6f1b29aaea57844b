package dashboard

import (
	"html/template"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// A Card is a question with its answer: a picture, and the table that it was
// drawn from. The table is the data, once: the page's table, tooltips, CSV and
// JSON are all made of it.
type Card struct {
	ID       string // its anchor on the page, and its name in …/-/data/ID.csv
	Title    string
	Question string
	Desc     string // the picture in words
	Note     template.HTML
	Define   string // the anchor in /about/metrics of what it means
	Legend   []Sign
	Plots    []chart.Plot
	Body     template.HTML // what is shown; empty: the plots
	Table    Table
	Listed   int // how many rows of the table the page has; 0: all of them
	// TableShown tells that the body is the table.
	TableShown bool
	Empty      *Empty // nothing to show, and why
	Error      string // it could not be made, and why
	Links      []Link
	// Pipelines is where the page of a pipeline is found, without its number;
	// dots lead there. Empty: nowhere.
	Pipelines string

	data string // where its data is, without the ending
}

// DataHref is where the card's data is found: csv, json or svg.
func (c Card) DataHref(kind string) string {
	path, query, found := strings.Cut(c.data, "?")
	if found {
		query = "?" + query
	}
	return path + "." + kind + query
}

// Rows are those of the table that the page has.
func (c Card) Rows() []Row {
	if c.Listed > 0 {
		return c.Table.Rows[:min(c.Listed, len(c.Table.Rows))]
	}
	return c.Table.Rows
}

// An Empty says why there is nothing, and what to press.
type Empty struct {
	Text  string
	Links []Link
}

// A Sign is an entry of a legend.
type Sign struct {
	Sign template.HTML
	Name string
}

// sign draws a small square, line or dot in the colours of a chart's class.
func sign(kind, class, name string) Sign {
	var s string
	switch kind {
	case "line":
		s = `<path d="M0 6h14" class="ln ` + class + `"/>`
	case "dot":
		s = `<path d="M7 6h0" class="dots ` + class + `"/>`
	default:
		s = `<rect x="1" y="0.5" width="11" height="11" rx="3" class="` + class + `"/>`
	}
	return Sign{template.HTML(`<svg viewBox="0 0 14 12" aria-hidden="true">` + s + `</svg>`), name} //nolint:gosec // classes of ours
}

// A Table is the data of a card.
type Table struct {
	Columns []Column
	Rows    []Row
}

// A Column of a table.
type Column struct {
	Name  string // for people
	Field string // in CSV and JSON: what the API calls it
	Right bool   // numbers stand at the right
}

// A Row of a table, and where its first cell leads.
type Row struct {
	Cells    []Cell
	Href     string
	Hrefs    []string // where the cells lead, as far as one does
	Letters  []letter // of the column strip
	From, To string   // RFC 3339, of rows that are a slice of time
	Change   string   // worse or better: its change is more than chance
}

// A Cell is a value as people read it, and as programs do: a string, a number,
// a bool, a time, or nil.
type Cell struct {
	Text  string
	Value any
}

// Leads is where the cell i, which is not the first, leads; empty: nowhere.
func (r Row) Leads(i int) string {
	if i < len(r.Hrefs) {
		return r.Hrefs[i]
	}
	return ""
}

// lead has the cell i, which is not the first, lead somewhere.
func (r *Row) lead(i int, href string) {
	for len(r.Hrefs) <= i {
		r.Hrefs = append(r.Hrefs, "")
	}
	r.Hrefs[i] = href
}

func textCell(s string) Cell { return Cell{s, s} }

func countCell(n int64) Cell { return Cell{chart.Count.String(float64(n)), n} }

func secondsCell(v *float64) Cell {
	if v == nil {
		return Cell{"–", nil}
	}
	return Cell{chart.Duration(*v), *v}
}

// timeCell shows an instant on the clock of a zone.
func timeCell(t time.Time, zone *time.Location) Cell {
	if t.IsZero() {
		return Cell{"–", nil}
	}
	return Cell{t.In(zone).Format("2 Jan 15:04"), t}
}
