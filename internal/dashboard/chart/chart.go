// Package chart draws numbers as SVG. It is pure: the same numbers give the
// same bytes, and it knows nothing of pipelines, requests or databases.
//
// Four rules make its pictures work under a strict content security policy, at
// any width, in print and without a script:
//
//   - Colours and sizes of lines come from classes, never from style="" or
//     fill="#…", so that a stylesheet recolours a chart for the dark, for paper
//     and for forced colours.
//   - Text stands in an outer <svg> at places in percent, so it is never
//     stretched. Shapes stand in an inner one that is.
//   - A dot is a line of no length with a round cap: it stays round.
//   - What a chart is given can't be drawn outside of it: numbers that are not
//     finite are left out, and the rest is cut off at the edges.
package chart

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// A Plot is a drawn chart: an area as wide as there is room, between two
// columns of text.
type Plot struct {
	height, left, right       int // pixels
	leftText, area, rightText string
	class                     string
	id                        string
	hover                     []float64 // where in the area the rows of the table are, in percent
	interactive               bool
	links                     bool // some of its shapes lead somewhere
	lanes                     int  // how many rows it has, each of them one of the table
}

// Empty tells whether nothing was drawn.
func (p Plot) Empty() bool { return p.area == "" }

// HTML is the plot for a page. The page must have elements with the ids ID-t
// and ID-d: the chart's title and description.
func (p Plot) HTML() template.HTML {
	if p.Empty() {
		return ""
	}
	w := &writer{}
	w.f(`<div class="plot %s">`, p.class)
	if p.left > 0 {
		w.f(`<svg class="ax" width="%d" height="%d" aria-hidden="true">%s</svg>`, p.left, p.height, p.leftText)
	}
	w.f(`<div class="area"`)
	if p.interactive {
		w.f(` data-hover="%s"`, numbers(p.hover))
	}
	if p.lanes > 0 {
		w.f(` data-lanes="%s %s"`, num(laneTop), num(laneHeight))
	}
	role := "img"
	if p.links {
		role = "group" // an image has no links in it
	}
	w.f(`><svg class="pl" width="100%%" height="%d" role="%s" aria-labelledby="%s-t %s-d">%s</svg></div>`, p.height, role, esc(p.id), esc(p.id), p.area)
	if p.right > 0 {
		w.f(`<svg class="ax" width="%d" height="%d" aria-hidden="true">%s</svg>`, p.right, p.height, p.rightText)
	}
	w.f(`</div>`)
	return template.HTML(w.String()) //nolint:gosec // every text in it went through esc
}

// SVG is a picture that stands alone: plots under each other, width pixels
// wide, with the colours of style, which is CSS.
func SVG(style, title, description string, width int, plots ...Plot) []byte {
	const margin, head = 16, 40
	height := head + margin
	for _, p := range plots {
		height += p.height + margin
	}
	w := &writer{}
	w.f(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img"><title>%s</title><desc>%s</desc><style>%s</style>`,
		width, height, width, height, esc(title), esc(description), esc(style))
	w.f(`<rect class="paper" width="100%%" height="100%%"/><text x="%d" y="28" class="head">%s</text>`, margin, esc(title))
	y := head
	for _, p := range plots {
		area := max(width-2*margin-p.left-p.right, 1)
		w.f(`<svg x="%d" y="%d" width="%d" height="%d" overflow="visible">%s</svg>`, margin, y, max(p.left, 1), p.height, p.leftText)
		w.f(`<svg x="%d" y="%d" width="%d" height="%d" overflow="visible">%s</svg>`, margin+p.left, y, area, p.height, p.area)
		w.f(`<svg x="%d" y="%d" width="%d" height="%d" overflow="visible">%s</svg>`, width-margin-p.right, y, max(p.right, 1), p.height, p.rightText)
		y += p.height + margin
	}
	w.f(`</svg>`)
	return []byte(w.String())
}

// A writer builds SVG.
type writer struct{ strings.Builder }

func (w *writer) f(format string, a ...any) { fmt.Fprintf(&w.Builder, format, a...) }

// stretch draws shapes in units of a thousandth of the width and pixels of
// height.
func (w *writer) stretch(height float64, draw func(w *writer)) {
	w.f(`<svg width="100%%" height="%s" viewBox="0 0 1000 %s" preserveAspectRatio="none">`, num(height), num(height))
	draw(w)
	w.f(`</svg>`)
}

// A pen draws one path.
type pen struct {
	b    strings.Builder
	down bool
}

func (p *pen) to(x, y float64) {
	if !finite(x) || !finite(y) {
		p.lift()
		return
	}
	command := "M"
	if p.down {
		command = "L"
	}
	p.b.WriteString(command + num(x) + " " + num(y))
	p.down = true
}

func (p *pen) lift() { p.down = false }

func (p *pen) dot(x, y float64) { p.b.WriteString("M" + num(x) + " " + num(y) + "h0") }

func (p *pen) bar(x, y, width, height float64) {
	p.b.WriteString("M" + num(x) + " " + num(y) + "h" + num(width) + "v" + num(height) + "h" + num(-width) + "z")
}

// dataIDs are the pipelines of dots in the order in which these were drawn, each
// as what it is more than the one before: there are hundreds, most of them near
// each other.
func dataIDs(all []int64) string {
	differences, last := make([]string, len(all)), int64(0)
	for i, id := range all {
		differences[i], last = strconv.FormatInt(id-last, 10), id
	}
	return strings.Join(differences, " ")
}

func (p *pen) close() {
	if p.down {
		p.b.WriteString("Z")
	}
	p.lift()
}

func (w *writer) path(p *pen, class string) {
	if p.b.Len() > 0 {
		w.f(`<path d="%s" class="%s"/>`, p.b.String(), class)
	}
}

// rect draws a bar from x to x+width percent.
func (w *writer) rect(x, width, y, height float64, class string) {
	w.f(`<rect x="%s%%" width="%s%%" y="%s" height="%s" class="%s"/>`, num2(x), num2(max(width, 0)), num(y), num(max(height, 0)), class)
}

// link draws what leads to href, if that is not empty. The table has the same
// link for keyboards, so they need not stop here.
func (w *writer) link(href string, draw func(w *writer)) {
	if href == "" {
		draw(w)
		return
	}
	w.f(`<a href="%s" tabindex="-1">`, esc(safe(href)))
	draw(w)
	w.f(`</a>`)
}

// text writes s at x percent.
func (w *writer) text(x, y float64, class, s string) {
	w.f(`<text x="%s%%" y="%s" class="%s">%s</text>`, num(x), num(y), class, esc(s))
}

// aside writes s at x pixels, in a column of text; where it was cut, with all
// of it as a title.
func (w *writer) aside(x int, y float64, class, s string, letters int) {
	short := Cut(s, letters)
	w.f(`<text x="%d" y="%s" class="%s">%s`, x, num(y), class, esc(short))
	if short != s {
		w.f(`<title>%s</title>`, esc(s))
	}
	w.f(`</text>`)
}

// Cut shortens s to the width of n letters, in the middle: names of jobs differ
// at their ends.
func Cut(s string, n int) string {
	r := []rune(s)
	if width(r) <= n {
		return s
	}
	from, to := 0, len(r)
	for width(r[:from+1]) <= (n-1)/2 {
		from++
	}
	for width(r[to-1:]) <= n-1-(n-1)/2 {
		to--
	}
	return string(r[:from]) + "…" + string(r[to:])
}

// width is how many letters wide a text is: those of East Asia and pictures
// are as wide as two.
func width(all []rune) (n int) {
	for _, r := range all {
		n++
		if r >= 0x2e80 && r < 0xfb00 || r >= 0xfe30 && r < 0xff70 || r >= 0x1f000 {
			n++
		}
	}
	return n
}

// esc is a text in SVG. What turns the direction of text around is shown as a
// sign: inside a name it lets it read as another.
func esc(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// num writes a coordinate, to a tenth.
func num(f float64) string { return decimals(f, 1) }

// num2 is num to a hundredth, for widths in percent.
func num2(f float64) string { return decimals(f, 2) }

func decimals(f float64, n int) string {
	if !finite(f) {
		return "0"
	}
	s := strconv.FormatFloat(f, 'f', n, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

func numbers(all []float64) string {
	s := make([]string, len(all))
	for i, f := range all {
		s[i] = num2(f)
	}
	return strings.Join(s, " ")
}

// upTo keeps f between 0 and high.
func upTo(f, high float64) float64 { return math.Min(math.Max(f, 0), high) }
