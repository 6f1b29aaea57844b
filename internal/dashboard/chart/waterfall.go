package chart

import "math"

// A Lane is one attempt of a job, in seconds since the pipeline was created.
type Lane struct {
	Name             string
	Href             string  // where its name leads; empty: nowhere
	Wait, Start, End float64 // it could run from Wait on, ran from Start to End; NaN: not yet
	Setup            float64 // how much at the beginning of the run was set-up
	Usual, UsualHigh float64 // p50 and p95 of the job's run; NaN: not known
	Critical         bool    // it is on the critical path
	Kind             string  // passed, failed, canceled, retried, running, waiting
	Blocked          bool    // what it waited for was a person
	Text             string  // what is written after its bar
}

// A Waterfall shows when the jobs of one pipeline waited and ran.
type Waterfall struct {
	ID    string
	Lanes []Lane
	End   float64 // seconds that the axis must have
}

// The size of a waterfall, in pixels.
const (
	laneHeight = 26.0
	laneTop    = 22.0
	laneNames  = 140
)

// Plot draws the lanes in the order in which they are given.
func (c Waterfall) Plot() Plot {
	end := c.End
	for _, l := range c.Lanes {
		end = math.Max(end, math.Max(finiteOr(l.End, 0), finiteOr(l.Start, 0)))
	}
	s := newScale(Seconds, end, 8)
	s.max = math.Max(end*1.12, 1e-9) // room for the words after the last bar
	height := laneTop + laneHeight*float64(len(c.Lanes)) + 4
	left, w := &writer{}, &writer{}
	for _, t := range s.ticks {
		p := s.of(t) * 100
		if p > 97 {
			break
		}
		anchor := "mid"
		if t == 0 {
			anchor = "start"
		}
		w.f(`<line x1="%s%%" x2="%s%%" y1="%s" y2="%s" class="grid"/>`, num(p), num(p), num(laneTop), num(height))
		w.text(p, 13, "tick "+anchor, Seconds.axis(t))
	}
	for i, l := range c.Lanes {
		y := laneTop + laneHeight*float64(i)
		class := "lab end"
		if l.Critical {
			class += " crit-t"
		}
		left.aside(laneNames-10, y+17, class, l.Name, 19)
		l.draw(w, s, y+5)
	}
	return Plot{id: c.ID, height: int(height), left: laneNames, leftText: left.String(), area: w.String(), class: "wf"}
}

func (l Lane) draw(w *writer, s scale, y float64) {
	at := func(v float64) float64 { return s.of(v) * 100 }
	class := "job j-" + esc(l.Kind)
	if l.Critical {
		class += " crit"
	}
	w.f(`<g class="%s"><title>%s: %s</title>`, class, esc(l.Name), esc(l.Text))
	if !finite(l.Start) && !finite(l.Wait) {
		w.f(`<text x="0" dx="6" y="%s" class="val">%s</text></g>`, num(y+12), esc(l.Text))
		return
	}
	waited := finiteOr(l.Start, s.max)
	if finite(l.Wait) && l.Wait < waited {
		part := "wq"
		if l.Blocked {
			part = "wq hatch"
		}
		w.f(`<rect x="%s%%" width="%s%%" y="%s" height="16" rx="2" class="%s"/>`, num2(at(l.Wait)), num2(math.Max(at(waited)-at(l.Wait), .15)), num(y), part)
	}
	last, ghost := at(waited), 0.0
	if finite(l.Start) {
		end := finiteOr(l.End, s.max)
		last = math.Max(at(end), at(l.Start))
		if finite(l.Usual) && finite(l.UsualHigh) && l.UsualHigh > l.Usual {
			x := at(l.Start + l.Usual)
			ghost = math.Max(at(l.Start+l.UsualHigh), x+.3)
			w.f(`<rect x="%s%%" width="%s%%" y="%s" height="22" rx="2" class="ghost"/>`, num2(x), num2(upTo(ghost-x, 100-x)), num(y-3))
		}
		w.f(`<rect x="%s%%" width="%s%%" y="%s" height="16" rx="2" class="wr"/>`, num2(at(l.Start)), num2(math.Max(last-at(l.Start), .3)), num(y))
		if finite(l.Setup) && l.Setup > 0 {
			w.f(`<rect x="%s%%" width="%s%%" y="%s" height="16" rx="2" class="wu"/>`, num2(at(l.Start)), num2(math.Min(at(l.Start+l.Setup), last)-at(l.Start)), num(y))
		}
	}
	if math.Max(last, ghost) > 88 && last-at(finiteOr(l.Start, 0)) > 12 { // no room after the bar, and some in it
		w.f(`<text x="%s%%" dx="-6" y="%s" class="val in end">%s</text></g>`, num2(math.Min(last, upTo(at(l.Start+finiteOr(l.Usual, s.max)), 100))), num(y+12), esc(l.Text))
		return
	}
	last = math.Min(math.Max(last, ghost), 92)
	w.f(`<text x="%s%%" dx="6" y="%s" class="val">%s</text></g>`, num2(last), num(y+12), esc(l.Text))
}
