package chart

import (
	"html/template"
	"math"
)

var nan = math.NaN()

// Spark is a line as large as a word; NaN: there is no value. mark is the
// index of the value at which something changed; below 1: nothing did.
func Spark(values []float64, mark int) template.HTML {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	if math.IsInf(low, 1) {
		return ""
	}
	if high-low < math.Abs(high)*.25 || high == low { // small changes look small
		mid, half := (high+low)/2, math.Max(math.Abs(high)*.125, 1e-9)
		low, high = mid-half, mid+half
	}
	x := func(i int) float64 { return 3 + float64(i)/float64(max(len(values)-1, 1))*90 }
	var line pen
	end := pen{}
	for i, v := range values {
		if !finite(v) {
			continue
		}
		y := 23 - upTo((v-low)/(high-low), 1)*20
		line.to(x(i), y)
		end = pen{}
		end.dot(x(i), y)
	}
	w := &writer{}
	w.f(`<svg class="spark" viewBox="0 0 96 26" preserveAspectRatio="none" aria-hidden="true">`)
	if mark > 0 && mark < len(values) {
		w.f(`<path d="M%s 1V25" class="mark"/>`, num(x(mark)))
	}
	w.path(&line, "ln")
	w.path(&end, "end-dot")
	w.f(`</svg>`)
	return template.HTML(w.String()) //nolint:gosec // numbers alone
}

// RangeBar draws p5 to p95 as a thin line, p50 to p80 as a box and the p50 as
// a tick, on an axis from 0 to top.
func RangeBar(p5, p50, p80, p95, top float64) template.HTML {
	for _, v := range []float64{p5, p50, p80, p95, top} {
		if !finite(v) {
			return ""
		}
	}
	top = math.Max(top, 1e-9)
	at := func(v float64) float64 { return upTo(v/top, 1) * 100 }
	w := &writer{}
	w.f(`<svg class="rangebar" width="100%%" height="22" aria-hidden="true">`)
	w.rect(at(p5), math.Max(at(p95)-at(p5), .4), 9.5, 3, "r-all")
	w.f(`<rect x="%s%%" width="%s%%" y="5" height="12" rx="2" class="r-box"/>`, num2(at(p50)), num2(math.Max(at(p80)-at(p50), .4)))
	w.f(`<rect x="%s%%" width="2.5" y="3" height="16" class="r-50"/></svg>`, num2(math.Min(at(p50), 99)))
	return template.HTML(w.String()) //nolint:gosec // numbers alone
}

// Meter draws a part of a whole, from 0 to 1.
func Meter(part float64) template.HTML {
	w := &writer{}
	w.f(`<svg class="meter" width="74" height="8" aria-hidden="true"><rect width="100%%" height="8" rx="4" class="track"/>`)
	if finite(part) && part > 0 {
		w.f(`<rect width="%s%%" height="8" rx="4" class="fill"/>`, num(upTo(part, 1)*100))
	}
	w.f(`</svg>`)
	return template.HTML(w.String()) //nolint:gosec // numbers alone
}

// An Outcome is one pipeline or attempt of a [Strip].
type Outcome struct {
	Value float64 // its height; NaN: not known
	Kind  string  // passed, restarted, failed, canceled, running
	Title string
	Href  string // empty: it leads nowhere
}

// Strip draws outcomes one after the other: a bar each, as high as its value,
// in the colour of its kind, and in a shape of its own too: what failed stands
// on a foot, what was canceled is an outline, what was restarted has a gap.
func Strip(all []Outcome, slots int) template.HTML {
	const width, height = 5, 26
	top := 0.0
	for _, o := range all {
		top = math.Max(top, finiteOr(o.Value, 0))
	}
	slots = max(slots, len(all))
	w := &writer{}
	w.f(`<svg class="strip" width="%d" height="%d" aria-hidden="true">`, slots*width, height)
	for i, o := range all {
		x := (slots - len(all) + i) * width
		h := 3.0
		if top > 0 && finite(o.Value) {
			h = math.Max(upTo(o.Value/top, 1)*(height-5), 3)
		}
		kind := esc(o.Kind)
		w.f(`<g class="s-%s"><title>%s</title>`, kind, esc(o.Title))
		if o.Href != "" {
			w.f(`<a href="%s" tabindex="-1">`, esc(safe(o.Href)))
		}
		w.f(`<rect x="%d" width="%d" height="%d" class="hit"/>`, x, width, height)
		y := height - 3 - h
		switch o.Kind {
		case "restarted":
			w.f(`<path d="M%d %sv%sM%d %dv-3" class="bar"/>`, x+2, num(y), num(math.Max(h-5, 1)), x+2, height-3)
		default:
			w.f(`<path d="M%d %sv%s" class="bar"/>`, x+2, num(y), num(h))
		}
		if o.Kind == "failed" {
			w.f(`<path d="M%d %dh4" class="foot"/>`, x, height-1)
		}
		if o.Href != "" {
			w.f(`</a>`)
		}
		w.f(`</g>`)
	}
	w.f(`</svg>`)
	return template.HTML(w.String()) //nolint:gosec // every text in it went through esc
}

// safe lets paths of this site through, and nothing that could run.
func safe(href string) string {
	if len(href) > 0 && href[0] == '/' && (len(href) == 1 || href[1] != '/') || len(href) > 0 && (href[0] == '?' || href[0] == '#') {
		return href
	}
	return "#"
}
