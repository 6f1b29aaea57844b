package chart

import "math"

// A Lane is one attempt of a job, in seconds since the pipeline was created.
type Lane struct {
	Name             string
	Stage            string  // lanes of one stage in a row share a band
	Held             float64 // from then on it waited for a person; NaN: it did not
	Wait, Start, End float64 // it could run from Wait on, ran from Start to End; NaN: not yet
	Setup            float64 // how much at the beginning of the run was set-up
	Usual, UsualHigh float64 // p50 and p95 of the job's run; NaN: not known
	Critical         bool    // it is on the critical path
	Kind             string  // passed, failed, canceled, retried, running, waiting
	Text             string  // what is written beside its bar
	After            []int   // the lanes that it waited for
}

// A Waterfall shows when the jobs of one pipeline waited and ran.
type Waterfall struct {
	ID    string
	Lanes []Lane
	End   float64 // seconds at which the axis ends: what starts later is named, not drawn; 0: all is drawn
}

// The size of a waterfall, in pixels.
const (
	laneHeight = 26.0
	laneTop    = 22.0
	laneNames  = 140
)

// Plot draws the lanes in the order in which they are given.
func (c Waterfall) Plot() Plot {
	s := c.axis()
	height := laneTop + laneHeight*float64(len(c.Lanes)) + 4
	left, w := &writer{}, &writer{}
	w.f(`<defs><pattern id="%s-held" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0v6" class="hatch"/></pattern></defs>`, esc(c.ID))
	c.bands(w, s)
	for i, t := range s.ticks {
		p := s.of(t) * 100
		if p > 97 {
			break
		}
		anchor := "mid"
		switch {
		case t == 0:
			anchor = "start"
		case i%2 == 1:
			anchor += " alt"
		case i%4 == 2:
			anchor += " alt2"
		}
		w.f(`<line x1="%s%%" x2="%s%%" y1="%s" y2="%s" class="grid"/>`, num(p), num(p), num(laneTop), num(height))
		w.text(p, 13, "tick "+anchor, Seconds.axis(t))
	}
	for i, l := range c.Lanes {
		class := "lab end"
		if l.Critical {
			class += " crit-t"
		}
		left.aside(laneNames-10, laneY(i)+17, class, l.Name, 19)
		c.lane(w, s, i)
	}
	return Plot{id: c.ID, height: int(height), left: laneNames, leftText: left.String(), area: w.String(), class: "wf", lanes: len(c.Lanes)}
}

// laneY is where a lane begins.
func laneY(i int) float64 { return laneTop + laneHeight*float64(i) }

func (c Waterfall) axis() scale {
	end := 0.0
	for _, l := range c.Lanes {
		end = math.Max(end, math.Max(finiteOr(l.End, 0), finiteOr(l.Start, 0)))
	}
	if c.End > 0 {
		end = c.End
	}
	s := newScale(Seconds, end, 8)
	s.max = math.Max(end*1.04, 1e-9)
	return s
}

// bands are the stages: every other one has a ground of its own, and all have
// their name where there is room.
func (c Waterfall) bands(w *writer, s scale) {
	for from, n := 0, 0; from < len(c.Lanes); n++ {
		to := from
		for to < len(c.Lanes) && c.Lanes[to].Stage == c.Lanes[from].Stage {
			to++
		}
		if from == 0 && to == len(c.Lanes) {
			return // there is but one
		}
		if n%2 == 1 {
			w.rect(0, 100, laneY(from), laneHeight*float64(to-from), "band-stage")
		}
		if l := c.Lanes[from]; s.of(math.Max(finiteOr(l.Start, 0), finiteOr(l.End, 0))) < .6 {
			w.text(99.5, laneY(from)+17, "stage end", Cut(l.Stage, 24))
		}
		from = to
	}
}

// lane draws one attempt.
func (c Waterfall) lane(w *writer, s scale, i int) {
	l, y := c.Lanes[i], laneY(i)+5
	at := func(v float64) float64 { return s.of(v) * 100 }
	class := "job j-" + esc(l.Kind)
	if l.Critical {
		class += " crit"
	}
	w.f(`<g class="%s"><title>%s: %s</title>`, class, esc(l.Name), esc(l.Text))
	defer w.f(`</g>`)
	w.rect(0, 100, y-5, laneHeight, "hit")
	if !finite(l.Start) && !finite(l.Wait) {
		w.f(`<text x="0" dx="6" y="%s" class="val">%s</text>`, num(y+12), esc(l.Text))
		return
	}
	start := finiteOr(l.Start, s.max)
	if c.End > 0 && start >= c.End {
		w.f(`<text x="99.5%%" y="%s" class="val end">%s, after %s ›</text>`, num(y+12), esc(l.Text), esc(Duration(start)))
		return
	}
	begin := math.Min(finiteOr(l.Wait, start), start)
	if finite(l.Held) && l.Held < begin {
		w.f(`<rect x="%s%%" width="%s%%" y="%s" height="16" rx="2" class="held" fill="url(#%s-held)"/>`, num2(at(l.Held)), num2(at(begin)-at(l.Held)), num(y), esc(c.ID))
	}
	if begin < start {
		w.f(`<rect x="%s%%" width="%s%%" y="%s" height="16" rx="2" class="wq"/>`, num2(at(begin)), num2(math.Max(at(start)-at(begin), .15)), num(y))
	}
	ends := [2]float64{at(start), at(start)} // of the bar, and of all that is drawn
	if finite(l.Start) {
		ends = l.run(w, at, y, math.Min(finiteOr(l.End, s.max), s.max))
	}
	c.needs(w, at, i)
	l.words(w, at(math.Min(finiteOr(l.Held, begin), begin)), at(start), ends, y+12)
}

// run draws when the attempt ran, and how long it usually does; it returns
// where the bar ends, and all of it.
func (l Lane) run(w *writer, at func(float64) float64, y, end float64) [2]float64 {
	from, last, ghost := at(l.Start), math.Max(at(end), at(l.Start)), 0.0
	if finite(l.Usual) && finite(l.UsualHigh) && l.UsualHigh > l.Usual {
		x := at(l.Start + l.Usual)
		ghost = math.Max(at(l.Start+l.UsualHigh), x+.3)
		w.f(`<rect x="%s%%" width="%s%%" y="%s" height="22" rx="2" class="ghost"/>`, num2(x), num2(upTo(ghost-x, 100-x)), num(y-3))
	}
	w.f(`<rect x="%s%%" width="%s%%" y="%s" height="16" rx="2" class="wr"/>`, num2(from), num2(math.Max(last-from, .3)), num(y))
	if finite(l.Setup) && l.Setup > 0 {
		w.f(`<rect x="%s%%" width="%s%%" y="%s" height="16" rx="2" class="wu"/>`, num2(from), num2(math.Min(at(l.Start+l.Setup), last)-from), num(y))
	}
	return [2]float64{last, math.Max(last, ghost)}
}

// words writes the text of a lane where there is room for it at any width:
// after all that is drawn, else before it, else at the end of the bar, else
// before the bar, where it waited.
func (l Lane) words(w *writer, begin, start float64, ends [2]float64, y float64) {
	at, dx, class := ends[1], 6, ""
	switch {
	case ends[1] <= 68:
	case begin >= 32:
		at, dx, class = begin, -6, " end"
	case ends[0]-start >= 30:
		at, dx, class = ends[0], -6, " in end"
	case start >= 32:
		at, dx, class = start, -6, " end"
	default:
		at = ends[0]
	}
	w.f(`<text x="%s%%" dx="%d" y="%s" class="val%s">%s</text>`, num2(at), dx, num(y), class, esc(l.Text))
}

// needs draws lines from the ends of the lanes that this one waited for; they
// are seen while it is looked at.
func (c Waterfall) needs(w *writer, at func(float64) float64, i int) {
	to := c.Lanes[i]
	if !finite(to.Start) {
		return
	}
	for _, k := range to.After {
		if k < 0 || k >= len(c.Lanes) || k == i || !finite(c.Lanes[k].End) {
			continue
		}
		x, y := num2(at(c.Lanes[k].End)), num(laneY(i)+13)
		w.f(`<line x1="%s%%" x2="%s%%" y1="%s" y2="%s" class="need"/><line x1="%s%%" x2="%s%%" y1="%s" y2="%s" class="need"/>`,
			x, x, num(laneY(k)+13), y, x, num2(at(to.Start)), y, y)
	}
}
