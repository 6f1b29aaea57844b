package analytics

import (
	"cmp"
	"context"
	"math"
	"net/url"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Limits of a comparison.
const (
	maxCurve  = 200 // points of a curve
	fewValues = 5   // with fewer, no interval is told
)

// A Comparison is two windows, refs or workflows side by side: head is what the
// filter says, base is what it is compared with.
type Comparison struct {
	Base Side `json:"base"`
	Head Side `json:"head"`
	// Asked is the metric that was asked for, at the percentile that was.
	Asked Asked `json:"asked"`
	// Metrics are active, wall, and the milestones and spans of phases.
	Metrics     []Difference `json:"metrics"`
	BaseCurve   []CurvePoint `json:"base_curve"` // of the metric asked for
	HeadCurve   []CurvePoint `json:"head_curve"`
	Attribution *Attribution `json:"attribution"` // of the mean wall time; null where no critical path is known
	Jobs        []Difference `json:"jobs"`        // what changed most comes first
	Truncated   bool         `json:"truncated"`
}

// A Side is what stands on one side of a comparison.
type Side struct {
	From      Time     `json:"from"`
	To        Time     `json:"to"`
	Refs      []string `json:"refs"`
	Workflows []string `json:"workflows"`
}

// A Difference is one metric on both sides.
type Difference struct {
	Metric string  `json:"metric"`
	Base   *Spread `json:"base"` // null: no values
	Head   *Spread `json:"head"`
	P50    *Gain   `json:"p50"` // null: a side has no values
	P80    *Gain   `json:"p80"`
	P95    *Gain   `json:"p95"`
	Mean   *Gain   `json:"mean"`
	// P is how likely chance alone sets both as far apart (Mann-Whitney).
	P *float64 `json:"p"`
}

// Asked is one percentile of one metric on both sides.
type Asked struct {
	Difference

	Percentile float64  `json:"percentile"`
	BaseS      *float64 `json:"base_s"` // null: no values
	HeadS      *float64 `json:"head_s"`
	Gain       *Gain    `json:"gain"` // null: a side has no values
	// ObjectiveS is what the project of the head wants this percentile to be at
	// most; null: it does not say, or there are several projects.
	ObjectiveS *float64 `json:"objective_s"`
}

// A Gain is by how much the head is above the base, in seconds.
type Gain struct {
	ChangeS  float64          `json:"change_s"`
	Interval *SecondsInterval `json:"interval"` // 95 %; null where a side has less than five values
}

// A CurvePoint says which share of the values is not above Seconds.
type CurvePoint struct {
	Seconds float64 `json:"value_s"`
	Share   float64 `json:"share"`
}

// ParseBase makes the filter of the other side from a query: vs_ref and
// vs_workflow (repeatable), and the time to compare with, vs. Where a ref or
// workflow is given and no vs, the time is the same on both sides.
func ParseBase(q url.Values, f Filter) (Filter, error) {
	base := f
	base.Window = f.Versus
	for _, l := range []list{{"vs_ref", &base.Refs}, {"vs_workflow", &base.Workflows}} {
		values, err := listOf(q, l.name)
		if err != nil {
			return Filter{}, err
		}
		if values == nil {
			continue
		}
		*l.values = values
		if q.Get("vs") == "" {
			base.Window = f.Window
		}
	}
	if base.Window.IsZero() {
		return Filter{}, &FieldError{"vs", "Say what to compare with: a time, or vs_ref or vs_workflow."}
	}
	return base, base.parseWords(nil, base.Window.To)
}

// DefaultPercentile is what a comparison asks for if nothing is said.
const DefaultPercentile = 0.8

// Compare puts two filters side by side, for one metric (empty: active) at a
// percentile (0 to 1) and for all usual ones. It fails as Stats does.
func (a *Analytics) Compare(ctx context.Context, base, head Filter, metric string, percentile float64) (*Comparison, error) {
	metric = cmp.Or(metric, metricActive)
	if _, err := parseMetric(metric); err != nil {
		return nil, err
	}
	if !(percentile >= 0 && percentile <= 1) {
		return nil, &FieldError{"percentile", "It is a fraction from 0 to 1, such as 0.8."}
	}
	c := &Comparison{Base: sideOf(&base), Head: sideOf(&head), Metrics: []Difference{}, Jobs: []Difference{}}
	err := a.store.Read(ctx, func(ctx context.Context, read *store.Reading) error {
		var sides [2]*compared
		var wanting []project // those of the head, which comes last
		for i, f := range []*Filter{&base, &head} {
			found, err := projects(ctx, read, f)
			if err != nil {
				return err
			}
			wanting = found
			if sides[i], err = a.scope(f, found).compared(ctx, read, metric); err != nil {
				return err
			}
		}
		c.fill(sides[0], sides[1])
		c.Asked = c.asked(metric, percentile, sides[0].curve, sides[1].curve)
		var err error
		c.Asked.ObjectiveS, err = maximum(ctx, read, wanting, metric, percentile)
		return err
	})
	return c, err
}

func sideOf(f *Filter) Side {
	s := Side{From: Time(f.Window.From), To: Time(f.Window.To), Refs: f.Refs, Workflows: f.Workflows}
	if len(s.Refs) == 0 {
		s.Refs = []string{DefaultRef}
	}
	if s.Workflows == nil {
		s.Workflows = []string{}
	}
	return s
}

// fill sets the sides against each other.
func (c *Comparison) fill(base, head *compared) {
	c.Truncated = base.cut || head.cut
	c.Attribution = attribute(base.parts, head.parts)
	c.BaseCurve, c.HeadCurve = curve(base.curve), curve(head.curve)
	metrics, jobs := keys(base.metrics, head.metrics), keys(base.jobs, head.jobs)
	c.Metrics, c.Jobs = make([]Difference, len(metrics)), make([]Difference, len(jobs))
	atOnce(len(metrics)+len(jobs), func(i int) {
		if i < len(metrics) {
			c.Metrics[i] = difference(metrics[i], base.metrics[metrics[i]], head.metrics[metrics[i]])
			return
		}
		job := jobs[i-len(metrics)]
		c.Jobs[i-len(metrics)] = difference(job, base.jobs[job], head.jobs[job])
	})
	size := func(d Difference) float64 {
		if d.Mean == nil {
			return -1
		}
		return math.Abs(d.Mean.ChangeS)
	}
	slices.SortStableFunc(c.Jobs, func(x, y Difference) int { return cmp.Compare(size(y), size(x)) })
	c.Jobs = c.Jobs[:min(len(c.Jobs), maxJobs)]
}

// asked compares values that are in order at one percentile.
func (c *Comparison) asked(metric string, p float64, base, head []float64) Asked {
	a := Asked{Percentile: p}
	if i := slices.IndexFunc(c.Metrics, func(d Difference) bool { return d.Metric == metric }); i >= 0 {
		a.Difference = c.Metrics[i]
	} else {
		a.Difference = difference(metric, base, head)
	}
	if len(base) > 0 {
		a.BaseS = new(percentile(base, p))
	}
	if len(head) > 0 {
		a.HeadS = new(percentile(head, p))
	}
	switch {
	case a.BaseS == nil || a.HeadS == nil:
	case p == 0.5:
		a.Gain = a.P50
	default:
		a.Gain = gainAt(base, head, p)
	}
	return a
}

// keys are those of both, in order.
func keys(a, b map[string][]float64) []string {
	var all []string
	for k := range a {
		all = append(all, k)
	}
	for k := range b {
		all = append(all, k)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// difference compares values that are in order.
func difference(metric string, base, head []float64) Difference {
	d := Difference{Metric: metric, Base: spreadOf(base), Head: spreadOf(head)}
	if d.Base == nil || d.Head == nil {
		return d
	}
	d.P50, d.P80, d.P95 = gainAt(base, head, 0.5), gainAt(base, head, 0.8), gainAt(base, head, 0.95)
	d.Mean = &Gain{ChangeS: mean(head) - mean(base)}
	if min(len(base), len(head)) >= fewValues {
		d.Mean.Interval = new(meanDifference(base, head))
	}
	d.P = new(rankTest(base, head))
	return d
}

// gainAt is the difference of a percentile of values that are in order.
func gainAt(base, head []float64, p float64) *Gain {
	g := &Gain{ChangeS: percentile(head, p) - percentile(base, p)}
	if min(len(base), len(head)) >= fewValues {
		g.Interval = new(percentileDifference(base, head, p))
	}
	return g
}

func mean(values []float64) float64 {
	m, _ := meanError(values)
	return m
}

// spreadOf is the spread of values in order, or nil where there are none.
func spreadOf(values []float64) *Spread {
	if len(values) == 0 {
		return nil
	}
	return new(spread(values))
}

// curve is the share of values up to each, at 200 places if there are more. The
// values are in order.
func curve(values []float64) []CurvePoint {
	n := len(values)
	points := make([]CurvePoint, 0, min(n, maxCurve))
	for i := range min(n, maxCurve) {
		at := i
		if n > maxCurve {
			at = i * (n - 1) / (maxCurve - 1)
		}
		points = append(points, CurvePoint{values[at], float64(at+1) / float64(n)})
	}
	return points
}
