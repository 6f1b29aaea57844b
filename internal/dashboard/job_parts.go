package dashboard

import (
	"context"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// A jobPart is one of the parts of an attempt's time.
type jobPart struct {
	key, name, field string
	of               func(*analytics.JobSums) *float64
}

// jobParts are the parts in their order, the lowest first.
func jobParts() []jobPart {
	return []jobPart{
		{"queue", "queued", "queue_s", func(s *analytics.JobSums) *float64 { return s.Queue.MeanS }},
		{"c3", "set-up", "set_up_s", func(s *analytics.JobSums) *float64 { return s.SetUpS }},
		{"run", "run", "run_s", func(s *analytics.JobSums) *float64 {
			if s.Run.MeanS == nil || s.SetUpS == nil {
				return s.Run.MeanS
			}
			return new(*s.Run.MeanS - *s.SetUpS)
		}},
	}
}

// jobPartsCard stacks what an attempt's time is made of.
func (d *Dashboard) jobPartsCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "What it is made of", Question: "Does it wait, get ready, or work?", Define: "queue"}
	a, err := d.jobAnswer(ctx, v)
	if err != nil {
		return c, err
	}
	if a.Run.Count == 0 {
		c.Empty = &Empty{Text: "The job has not passed in this time."}
		return c, nil
	}
	picture := chart.Stack{ID: "job-parts", Height: 224, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone, XTicks: 4}
	c.Table = Table{Columns: []Column{{"From", "start", false}, {"Attempts", "count", true}}}
	var parts []jobPart
	var names []string
	for _, p := range jobParts() {
		if p.of(&a.JobSums) == nil {
			continue // nobody tells any
		}
		parts, names = append(parts, p), append(names, p.name)
		picture.Keys = append(picture.Keys, p.key)
		c.Legend = append(c.Legend, sign("", "k-"+p.key, p.name))
		c.Table.Columns = append(c.Table.Columns, Column{strings.ToUpper(p.name[:1]) + p.name[1:], p.field, true})
	}
	for i := range a.Buckets {
		b := &a.Buckets[i]
		from, to := time.Time(b.Start), time.Time(b.End)
		r := Row{From: stamp(from), To: stamp(to), Href: v.between(from, to), Cells: []Cell{bucketCell(from, to, v.filter.Zone, b.IsRunning), countCell(b.Run.Count)}}
		bar := chart.Bar{From: from, To: to, Open: b.IsRunning}
		for _, p := range parts {
			value := p.of(&b.JobSums)
			r.Cells = append(r.Cells, secondsCell(value))
			if value == nil {
				value = new(0.0)
			}
			bar.Values = append(bar.Values, *value)
		}
		picture.Bars = append(picture.Bars, bar)
		c.Table.Rows = append(c.Table.Rows, r)
	}
	var notes []string
	picture.Gaps, notes = d.gaps(ctx, v)
	c.Note = noted(append(notes, "Means: of the wait over all attempts, of the rest over those that passed."))
	c.Desc = "The mean time of attempts. " + picture.Describe(names)
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}
