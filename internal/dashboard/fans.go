package dashboard

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// enough is how many values a p95 should rest on.
const enough = 20

// A fanCard is a metric over time.
type fanCard struct {
	id, title, question, define string
	metric                      string
	height, ticks               int
	labels                      bool
	dots                        func(context.Context) ([]chart.Dot, string, error) // and what is to be said of them
	mark                        chart.Mark
	link                        func(from, to time.Time) string
}

// fan makes the card of a metric.
func (d *Dashboard) fan(ctx context.Context, v *view, c fanCard) (Card, error) {
	card := Card{
		ID: c.id, Title: c.title, Question: c.question, Define: c.define,
		Legend: []Sign{sign("line", "l-50", "p50"), sign("", "band-80", "p50–p80"), sign("", "band-95", "p80–p95")},
	}
	a, err := d.stats(ctx, v, c.metric)
	if err != nil {
		return card, err
	}
	if c.link == nil {
		c.link = func(from, to time.Time) string { return v.between(from, to) }
	}
	picture := chart.Fan{
		ID: c.id, Height: c.height, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone,
		Labels: c.labels, XTicks: c.ticks, Mark: c.mark, Buckets: bucketsOf(a),
	}
	var notes []string
	picture.Gaps, notes = d.gaps(ctx, v)
	picture.Goals, notes = d.goals(ctx, v, c.metric, notes)
	var said string
	if c.dots != nil {
		if picture.Dots, said, err = c.dots(ctx); err != nil {
			return card, err
		}
		card.Legend = append(card.Legend, sign("dot", "", "pipeline"), sign("dot", "d-restarted", "restarted"), sign("dot", "d-failed", "failed"))
		card.Pipelines = v.pipelinesBase()
	}
	card.Table = statsTable(a, v.filter.Zone, c.link)
	if a.Summary.Count == 0 && len(picture.Dots) == 0 {
		card.Empty = v.noValues("No pipeline of this time that passed has a value of this.")
		return card, nil
	}
	switch {
	case a.Summary.Count == 0:
		notes, said = append(notes, "None of these passed, and percentiles are of those that did."), ""
	case a.Summary.Count < enough:
		notes = append(notes, fmt.Sprintf("%s: a p95 needs about %d.", plural(a.Summary.Count, "value"), enough))
	}
	if said != "" {
		notes = append(notes, said)
	}
	card.Note = noted(notes)
	card.Desc = picture.Describe()
	card.Plots = []chart.Plot{picture.Plot()}
	return card, nil
}

// pipelinesBase is where dots lead, without the number of their pipeline; over
// all projects: nowhere.
func (v *view) pipelinesBase() string {
	if v.project.Name == "" {
		return ""
	}
	return v.base() + "/pipelines/"
}

// stats asks for a metric, once a view and metric.
func (d *Dashboard) stats(ctx context.Context, v *view, metric string) (*analytics.StatsAnswer, error) {
	return once(v, "stats "+metric, func() (*analytics.StatsAnswer, error) {
		return d.Analytics.Stats(ctx, v.filter, metric, []float64{.5, .8, .95})
	})
}

func bucketsOf(a *analytics.StatsAnswer) []chart.Bucket {
	all := make([]chart.Bucket, len(a.Buckets))
	for i, b := range a.Buckets {
		at := func(f float64) float64 {
			if v, ok := b.Percentiles.At(f); ok && b.Count > 0 {
				return v
			}
			return math.NaN()
		}
		all[i] = chart.Bucket{From: time.Time(b.Start), To: time.Time(b.End), N: int(b.Count), P50: at(.5), P80: at(.8), P95: at(.95), Open: b.IsRunning}
	}
	return all
}

// statsTable has a row for each bucket, which leads to its pipelines.
func statsTable(a *analytics.StatsAnswer, zone *time.Location, link func(from, to time.Time) string) Table {
	t := Table{Columns: []Column{{"From", "start", false}, {"Count", "count", true}, {"p50", "p50_s", true}, {"p80", "p80_s", true}, {"p95", "p95_s", true}}}
	for _, b := range a.Buckets {
		from, to := time.Time(b.Start), time.Time(b.End)
		r := Row{From: stamp(from), To: stamp(to), Cells: []Cell{bucketCell(from, to, zone, b.IsRunning), countCell(b.Count)}}
		if b.Count > 0 {
			r.Href = link(from, to)
		}
		for _, f := range []float64{.5, .8, .95} {
			if v, ok := b.Percentiles.At(f); ok && b.Count > 0 {
				r.Cells = append(r.Cells, Cell{chart.Duration(v), v})
			} else {
				r.Cells = append(r.Cells, Cell{"–", nil})
			}
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

// bucketCell names a slice of time.
func bucketCell(from, to time.Time, zone *time.Location, running bool) Cell {
	f := from.In(zone)
	s := f.Format("Mon 2 Jan")
	if to.Sub(from) < 23*time.Hour {
		s = f.Format("Mon 2 Jan 15:04")
	}
	if running {
		s += ", so far"
	}
	return Cell{s, from}
}

func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return chart.Count.String(float64(n)) + " " + one + "s"
}
