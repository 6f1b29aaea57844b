package dashboard

import (
	"context"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// jobParts are the parts in their order, the lowest first.
func jobParts() []stackPart[analytics.JobSums] {
	return []stackPart[analytics.JobSums]{
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
	parts := slices.DeleteFunc(jobParts(), func(p stackPart[analytics.JobSums]) bool { return p.of(&a.JobSums) == nil })
	names := columnsOf(parts, &picture, &c)
	for i := range a.Buckets {
		b := &a.Buckets[i]
		from, to := time.Time(b.Start), time.Time(b.End)
		r := Row{From: stamp(from), To: stamp(to), Href: v.between(from, to), Cells: []Cell{bucketCell(from, to, v.filter.Zone, b.IsRunning), countCell(b.Run.Count)}}
		values, cells := valuesOf(parts, &b.JobSums)
		r.Cells = append(r.Cells, cells...)
		picture.Bars = append(picture.Bars, chart.Bar{From: from, To: to, Values: values, Open: b.IsRunning})
		c.Table.Rows = append(c.Table.Rows, r)
	}
	var notes []string
	picture.Gaps, notes = d.gaps(ctx, v)
	c.Note = noted(append(notes, "Means: of the wait over all attempts, of the rest over those that passed."))
	c.Desc = "The mean time of attempts. " + picture.Describe(names)
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}
