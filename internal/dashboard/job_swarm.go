package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// jobSwarmCard shows each attempt before and after: the mark, or the middle of
// the time.
func (d *Dashboard) jobSwarmCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Before and after", Question: "A shift of all, or a tail?", Define: "job-run"}
	runs, err := d.jobRuns(ctx, v)
	if err != nil {
		return c, err
	}
	middle := v.filter.Window.From.Add(v.filter.Window.To.Sub(v.filter.Window.From) / 2)
	if m := d.jobMark(ctx, v); !m.At.IsZero() {
		middle = m.At
	}
	sides := sidesOf(runs, middle)
	picture, drawn := v.swarmOf("job-swarm", v.job(), middle, sides, maxSwarm)
	picture.Row = 106 // it stands beside a picture that high
	c.Table = Table{Columns: []Column{{"Side", "side", false}, {"Attempts", "count", true}, {"p50", "p50_s", true}, {"p95", "p95_s", true}}}
	for i, r := range picture.Rows {
		c.Table.Rows = append(c.Table.Rows, Row{Href: r.Href, Cells: []Cell{textCell(r.Name), countCell(int64(len(sides[i]))), nanCell(r.P50), nanCell(r.P95)}})
	}
	if len(sides[0])+len(sides[1]) == 0 {
		c.Empty = &Empty{Text: "The job has not passed in this time."}
		return c, nil
	}
	c.Pipelines = v.pipelinesBase()
	c.Note = template.HTML(template.HTMLEscapeString(drawn + " that passed, before and after " + middle.In(v.filter.Zone).Format("2 Jan 15:04") + ". Thick line: p50, thin line: p95.")) //nolint:gosec // escaped
	c.Desc = fmt.Sprintf("Before, the p50 was %s; after, %s.", chart.Duration(picture.Rows[0].P50), chart.Duration(picture.Rows[1].P50))
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

// maxSwarm is how many attempts of a side are drawn, and where much else is on
// the page.
const maxSwarm, fewSwarm = 300, 80

// sidesOf are the attempts that passed, before and after.
func sidesOf(runs *analytics.JobRuns, middle time.Time) (sides [2][]chart.Single) {
	for i := range runs.Items {
		r := &runs.Items[i]
		if r.RunS == nil || r.Outcome != analytics.Passed && r.Outcome != analytics.Restarted {
			continue
		}
		side := 0
		if !time.Time(r.CreatedAt).Before(middle) {
			side = 1
		}
		sides[side] = append(sides[side], chart.Single{Value: *r.RunS, ID: r.PipelineID})
	}
	return sides
}

// swarmOf draws the sides of a job, of each at most so many attempts, and says
// which; each side leads to its pipelines.
func (v *view) swarmOf(id, job string, middle time.Time, sides [2][]chart.Single, most int) (picture chart.Beeswarm, drawn string) {
	picture, drawn = chart.Beeswarm{ID: id}, "Every attempt"
	for i, name := range []string{"before", "after"} {
		row := chart.Swarm{Name: name}
		step := (len(sides[i]) + most - 1) / most
		if step > 1 {
			drawn = "Some of the attempts"
		}
		var seconds []float64
		for k, one := range sides[i] {
			seconds = append(seconds, one.Value)
			if k%step == 0 {
				row.Points = append(row.Points, one)
			}
		}
		row.P50, row.P95 = percentile(seconds, .5), percentile(seconds, .95)
		if len(seconds) > 0 {
			f := v.filter
			if f.Window.To = middle; i == 1 {
				f.Window = analytics.Window{From: middle, To: v.filter.Window.To}
			}
			row.Href = v.tookHref(f, "job_run:"+job, nil, nil)
		}
		picture.Rows = append(picture.Rows, row)
	}
	return picture, drawn
}

// percentile interpolates as PERCENTILE_CONT does; NaN of nothing.
func percentile(values []float64, p float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return math.NaN()
	}
	at := p * float64(len(s)-1)
	low := int(at)
	if low+1 == len(s) {
		return s[low]
	}
	return s[low] + (at-float64(low))*(s[low+1]-s[low])
}
