package dashboard

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

const flakyCostNote = "Runner time of the attempts that failed on commits on which the job also passed."

// flakyCostCard shows whom to mend first.
func (d *Dashboard) flakyCostCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "What they cost", Question: "Which to mend first?", Define: "flaky", Note: flakyCostNote}
	a, err := d.flaky(ctx, v)
	if err != nil {
		return c, err
	}
	picture := chart.Contrib{ID: "flaky-cost", Unit: chart.Seconds, IsAmount: true}
	c.Table = Table{Columns: []Column{{"Job", "job", false}, {"Runner time", "runner_s", true}, {"Added to pipelines", "added_wall_s", true}}}
	for _, j := range a.Jobs[:min(len(a.Jobs), 8)] {
		href := v.jobHref(j.Project, j.Job)
		picture.Parts = append(picture.Parts, chart.Part{Name: j.Job, Delta: j.RunnerS, Href: href})
		c.Table.Rows = append(c.Table.Rows, Row{Href: href, Cells: []Cell{textCell(j.Job), {chart.Duration(j.RunnerS), j.RunnerS}, {chart.Duration(j.AddedWallS), j.AddedWallS}}})
	}
	slices.SortStableFunc(picture.Parts, func(a, b chart.Part) int { return cmp.Compare(b.Delta, a.Delta) })
	if len(a.Jobs) == 0 {
		c.Empty = &Empty{Text: "Nothing was lost to flaky jobs."}
		return c, nil
	}
	c.Desc = picture.Describe()
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

// shownFlaky is how many jobs have a colour of their own.
const shownFlaky = 4

// flakyWeeksCard shows whether it gets better.
func (d *Dashboard) flakyWeeksCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "What they cost a week", Question: "Does it get better?", Define: "flaky", Note: flakyCostNote}
	a, err := d.flaky(ctx, v)
	if err != nil {
		return c, err
	}
	if len(a.Jobs) == 0 || len(a.Weeks) == 0 {
		c.Empty = &Empty{Text: "Nothing was lost to flaky jobs."}
		return c, nil
	}
	jobs := slices.Clone(a.Jobs)
	slices.SortStableFunc(jobs, func(a, b analytics.FlakyJob) int { return cmp.Compare(b.RunnerS, a.RunnerS) })
	named := jobs[:min(len(jobs), shownFlaky)]
	picture := chart.Stack{ID: "flaky-weeks", Height: 224, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone, XTicks: 4}
	c.Table = Table{Columns: []Column{{"Week", "start", false}, {"All", "runner_s", true}}}
	var names []string
	for i, j := range named {
		name := j.Job
		if v.project.Name == "" {
			name += " of " + j.Project
		}
		picture.Keys = append(picture.Keys, phaseKeys[i])
		names = append(names, name)
		c.Table.Columns = append(c.Table.Columns, Column{name, "job " + name, true})
	}
	if len(jobs) > len(named) {
		picture.Keys = append(picture.Keys, "c0")
		names = append(names, "other jobs")
		c.Table.Columns = append(c.Table.Columns, Column{"Other jobs", "other_s", true})
	}
	for i, name := range names {
		c.Legend = append(c.Legend, sign("", "k-"+picture.Keys[i], chart.Cut(name, 40)))
	}
	for i, week := range a.Weeks {
		from, to := time.Time(week.Start), time.Time(week.End)
		values, all := make([]float64, len(names)), 0.0
		for k := range jobs {
			values[min(k, len(names)-1)] += jobs[k].WeeksRunnerS[i]
			all += jobs[k].WeeksRunnerS[i]
		}
		picture.Bars = append(picture.Bars, chart.Bar{From: from, To: to, Values: values, Open: week.IsRunning})
		r := Row{From: stamp(from), To: stamp(to), Href: v.between(from, to), Cells: []Cell{bucketCell(from, to, v.filter.Zone, week.IsRunning), {chart.Duration(all), all}}}
		for _, s := range values {
			r.Cells = append(r.Cells, Cell{chart.Duration(s), s})
		}
		c.Table.Rows = append(c.Table.Rows, r)
	}
	c.Desc = picture.Describe(names)
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}
