package chart

import (
	"math"
	"slices"
	"time"
)

// fewest is how many values a bucket must have for its percentiles to be drawn
// as such.
const fewest = 5

// A Bucket is a slice of time with its percentiles; NaN: there is none.
type Bucket struct {
	From, To      time.Time
	N             int
	P50, P80, P95 float64
	Open          bool // it has not ended
}

func (b Bucket) mid() time.Time { return b.From.Add(b.To.Sub(b.From) / 2) }

// A Dot is one thing that happened.
type Dot struct {
	At    time.Time
	Value float64
	Kind  string // passed, restarted, failed, canceled
	ID    int64  // by which the page finds it
}

// A Fan shows how percentiles move: the p50 as a line, up to p80 and p95 as
// bands, and each single thing as a dot.
type Fan struct {
	ID       string
	Height   int
	Unit     Unit
	From, To time.Time
	Location *time.Location
	Buckets  []Bucket
	Dots     []Dot
	Mark     Mark
	Gaps     []Gap
	Goals    []Goal
	Labels   bool // name the lines at their ends
	XTicks   int
}

// dotKinds are in the order in which they cover each other.
func dotKinds() []string { return []string{"passed", "canceled", "restarted", "failed"} }

// Plot draws the fan.
func (c Fan) Plot() Plot {
	f := frame{
		unit: c.Unit, scale: newScale(c.Unit, withGoals(c.top(), c.Goals), 5), span: span{c.From, c.To}, loc: c.Location,
		height: float64(c.Height), head: 8, xTicks: c.XTicks,
	}
	if c.Mark.Text != "" {
		f.head = 26
	}
	w := &writer{}
	f.gaps(w, c.Gaps)
	f.grid(w)
	f.goals(w, c.Goals)
	w.stretch(f.plotHeight()+2, func(w *writer) {
		c.bands(w, f)
		c.dots(w, f)
		c.lines(w, f)
	})
	f.mark(w, c.Mark)
	f.timeAxis(w)
	p := Plot{id: c.ID, height: c.Height, left: 46, leftText: f.leftAxis(), area: w.String(), class: "fan", interactive: true}
	for _, b := range c.Buckets {
		p.hover = append(p.hover, f.span.of(b.mid()))
	}
	if c.Labels {
		p.right, p.rightText, p.class = 40, c.ends(f), "fan has-right"
	}
	return p
}

// top is the greatest value that must fit. A lone dot may be cut off at the
// top, lest one outlier flattens all the rest.
func (c Fan) top() float64 {
	top, dots := 0.0, make([]float64, 0, len(c.Dots))
	for _, b := range c.Buckets {
		for _, v := range []float64{b.P50, b.P80, b.P95} {
			if finite(v) {
				top = math.Max(top, v)
			}
		}
	}
	for _, d := range c.Dots {
		if finite(d.Value) {
			dots = append(dots, d.Value)
		}
	}
	if len(dots) > 0 {
		top = math.Max(top, quantile(dots, .98))
	}
	return top
}

// x is where an instant is drawn, in whole thousandths of the width: a pixel or
// so, and half the bytes of a path.
func (f frame) x(t time.Time) float64 { return math.Round(f.span.of(t) * 10) }

// bands draws p50 to p80 and p80 to p95, where there is enough to say so.
func (c Fan) bands(w *writer, f frame) {
	for _, band := range []struct {
		class     string
		low, high func(Bucket) float64
	}{
		{"band-95", Bucket.p80, Bucket.p95},
		{"band-80", Bucket.p50, Bucket.p80},
	} {
		var p pen
		for _, run := range c.runs() {
			for _, b := range run {
				p.to(f.x(b.mid()), f.y(band.high(b)))
			}
			for _, b := range slices.Backward(run) {
				p.to(f.x(b.mid()), f.y(band.low(b)))
			}
			p.close()
		}
		w.path(&p, band.class)
	}
}

func (b Bucket) p50() float64 { return b.P50 }
func (b Bucket) p80() float64 { return b.P80 }
func (b Bucket) p95() float64 { return b.P95 }

func (b Bucket) drawn() bool {
	return b.N >= fewest && finite(b.P50) && finite(b.P80) && finite(b.P95)
}

// runs are the buckets in a row that have enough values.
func (c Fan) runs() (all [][]Bucket) {
	for i := 0; i < len(c.Buckets); {
		j := i
		for j < len(c.Buckets) && c.Buckets[j].drawn() {
			j++
		}
		if j > i {
			all = append(all, c.Buckets[i:j])
		}
		i = max(j, i+1)
	}
	return all
}

// lines draws the percentiles; what rests on few values is a thin dashed line
// of the p50 alone.
func (c Fan) lines(w *writer, f frame) {
	var p95, p80, p50, few pen
	for _, run := range c.runs() {
		for _, b := range run {
			p95.to(f.x(b.mid()), f.y(b.P95))
			p80.to(f.x(b.mid()), f.y(b.P80))
			if !b.Open {
				p50.to(f.x(b.mid()), f.y(b.P50))
			}
		}
		if len(run) == 1 {
			p50.dot(f.x(run[0].mid()), f.y(run[0].P50))
		}
		p95.lift()
		p80.lift()
		p50.lift()
	}
	c.between(f, &few)
	if all := slices.DeleteFunc(slices.Clone(c.Buckets), func(b Bucket) bool { return b.N == 0 || !finite(b.P50) }); len(all) == 1 {
		var one pen // no line goes through it
		one.dot(f.x(all[0].mid()), f.y(all[0].P50))
		w.path(&one, "ln l-one")
	}
	w.path(&few, "ln l-few")
	w.path(&p95, "ln l-95")
	w.path(&p80, "ln l-80")
	w.path(&p50, "ln l-50")
}

// between joins the p50 of buckets of which one has few values or goes on.
func (c Fan) between(f frame, few *pen) {
	var last *Bucket
	for i := range c.Buckets {
		b := &c.Buckets[i]
		if b.N == 0 || !finite(b.P50) {
			continue
		}
		if last != nil && (!last.drawn() || !b.drawn() || b.Open || c.Buckets[i-1].N == 0) {
			few.to(f.x(last.mid()), f.y(last.P50))
			few.to(f.x(b.mid()), f.y(b.P50))
			few.lift()
		}
		last = b
	}
}

// fewDots is up to how many dots are drawn large.
const fewDots = 60

// dots draws one path a kind; the page's script finds a dot's pipeline by
// data-ids.
func (c Fan) dots(w *writer, f frame) {
	size := ""
	if len(c.Dots) <= fewDots {
		size = " few"
	}
	for _, kind := range dotKinds() {
		var p pen
		var ids []int64
		for _, d := range c.Dots {
			if d.Kind != kind || !finite(d.Value) || !f.span.within(d.At) {
				continue
			}
			p.dot(f.x(d.At), math.Round(f.y(d.Value)))
			ids = append(ids, d.ID)
		}
		if len(ids) > 0 {
			w.f(`<path d="%s" class="dots d-%s%s" data-kind="%s" data-ids="%s"/>`, p.b.String(), kind, size, kind, dataIDs(ids))
		}
	}
}

// ends names the lines where they end, apart from each other; lines that ended
// long before the edge need no name there.
func (c Fan) ends(f frame) string {
	runs := c.runs()
	if len(runs) == 0 {
		return ""
	}
	lastRun := runs[len(runs)-1]
	last := lastRun[len(lastRun)-1]
	if f.span.of(last.mid()) < 85 {
		return ""
	}
	w := &writer{}
	at := math.Inf(-1)
	for _, l := range []struct {
		v           float64
		class, name string
	}{{last.P95, "t-95", "p95"}, {last.P80, "t-80", "p80"}, {last.P50, "t-50", "p50"}} {
		at = math.Max(f.y(l.v), at+15)
		w.f(`<text x="6" y="%s" class="dl %s">%s</text>`, num(math.Min(at+4, f.height-2)), l.class, l.name)
	}
	return w.String()
}
