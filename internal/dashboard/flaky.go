package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// flakyPage answers which jobs are flaky, and what they cost.
func (d *Dashboard) flakyPage(ctx context.Context, v *view) (string, *Page, error) {
	p := &Page{Title: "Flaky", Tab: "Flaky", Sub: v.rangeWords() + " · " + v.refWords(), Crumbs: v.crumbs()}
	fields := byRange | byWorkflow | byTrigger
	if v.project.Name != "" {
		fields |= byRef
	}
	b := board{Filters: v.form(ctx, v.base()+"/flaky", fields)}
	b.Filters.CSV = csvHref(v.dataHref("flaky"))
	a, err := d.flaky(ctx, v)
	r, rerr := d.restarts(ctx, v)
	if err == nil && rerr == nil {
		b.Tiles = flakyTiles(v, &a, &r)
	}
	b.Rows = d.fill(ctx, v, p, []string{"flaky"}, []string{"flaky-cost", "flaky-weeks"}, []string{"restarted"})
	p.Data = b
	return "board", p, nil
}

func (d *Dashboard) flaky(ctx context.Context, v *view) (analytics.Flaky, error) {
	return once(v, "flaky", func() (analytics.Flaky, error) { return d.Analytics.Flaky(ctx, v.filter) })
}

func (d *Dashboard) restarts(ctx context.Context, v *view) (analytics.Restarts, error) {
	return once(v, "restarts", func() (analytics.Restarts, error) { return d.Analytics.Restarts(ctx, v.filter) })
}

func flakyTiles(v *view, a *analytics.Flaky, r *analytics.Restarts) []Tile {
	var runner, wall float64
	for _, j := range a.Jobs {
		runner += j.RunnerS
		wall += j.AddedWallS
	}
	rate := func(i analytics.Interval) []hidden {
		return []hidden{{"95 %", fmt.Sprintf("%.1f–%.1f %%", i.Low*100, i.High*100)}}
	}
	return []Tile{
		{Label: "Flaky jobs", Href: "#flaky", Big: strconv.Itoa(len(a.Jobs)), Pairs: []hidden{{"outages left out", strconv.Itoa(len(a.Outages))}}},
		{Label: "Runner time lost to them", Href: "#flaky-cost", Big: chart.Duration(runner), Pairs: []hidden{{"added to pipelines", chart.Duration(wall)}}},
		{Label: "Pipelines restarted", Href: v.href("pipelines", "restarts", analytics.RestartsOnly), Big: percent(r.Rate), Pairs: append(rate(r.Interval), hidden{"pipelines", chart.Count.String(float64(r.Restarted))})},
		{Label: "Runner time of restarts", Href: "#restarted", Big: chart.Duration(r.RunnerS), Pairs: []hidden{{"added to pipelines", chart.Duration(r.AddedWallS)}}},
	}
}

func percent(share float64) string { return chart.Percent.String(share * 100) }

// flakyCard is the table of flaky jobs.
func (d *Dashboard) flakyCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Flaky jobs", Question: "Which jobs failed and passed on the same commit, and what did that cost?", Define: "flaky", TableShown: true}
	a, err := d.flaky(ctx, v)
	if err != nil {
		return c, err
	}
	c.Table = Table{Columns: []Column{
		{"Job", "job", false},
		{"Project", "project", false},
		{"Flaked", "rate", true},
		{"95 % interval", "rate_interval", true},
		{"Commits", "flaked", true},
		{"Runner time", "runner_s", true},
		{"Added to pipelines", "added_wall_s", true},
		{"Added until e2e", "added_time_to_e2e_s", true},
		{"First", "first_at", true},
		{"Last", "last_at", true},
		{"Latest pipelines", "strip", false},
	}}
	for _, j := range a.Jobs {
		c.Table.Rows = append(c.Table.Rows, Row{Href: v.jobHref(j.Project, j.Job), Letters: v.stripOf(&j), Cells: []Cell{
			textCell(j.Job), textCell(j.Project),
			{percent(j.Rate), j.Rate},
			{fmt.Sprintf("%.1f–%.1f %%", j.Interval.Low*100, j.Interval.High*100), fmt.Sprintf("%.4f..%.4f", j.Interval.Low, j.Interval.High)},
			{fmt.Sprintf("%d of %d", j.Flaked, j.Commits), j.Flaked},
			{chart.Duration(j.RunnerS), j.RunnerS},
			{chart.Duration(j.AddedWallS), j.AddedWallS},
			{chart.Duration(j.AddedTimeToE2eS), j.AddedTimeToE2eS},
			dayCell(time.Time(j.FirstAt), v.filter.Zone), dayCell(time.Time(j.LastAt), v.filter.Zone),
			{j.Strip, j.Strip},
		}})
	}
	if len(a.Jobs) == 0 {
		c.Empty = &Empty{Text: "No job failed and passed on the same commit in this time. Reports must say the commit, or the retries of a pipeline."}
		return c, nil
	}
	var notes []string
	if n := len(a.Outages); n > 0 {
		o := a.Outages[0]
		notes = append(notes, fmt.Sprintf("Left out as outages, when four of five jobs failed: %s, the longest known from %s to %s.", plural(int64(n), "time"),
			time.Time(o.From).In(v.filter.Zone).Format("2 Jan 15:04"), time.Time(o.To).In(v.filter.Zone).Format("2 Jan 15:04")))
	}
	few := c
	if n := len(c.Table.Rows); n > shownRuns {
		few.Table.Rows = c.Table.Rows[:shownRuns]
		notes = append(notes, fmt.Sprintf("The %d that cost most of %d; CSV has all.", shownRuns, n))
	}
	c.Note = noted(notes)
	c.Body = shown(&few, v.project.Name == "")
	return c, nil
}

// stripOf are the latest outcomes of a job: what failed or was restarted leads
// to its pipeline, and those that passed in a row to a list of them.
func (v *view) stripOf(j *analytics.FlakyJob) (all []letter) {
	from := max(0, len(j.Strip)-shownLetters)
	own := view{project: store.Project{Name: j.Project}, filter: v.filter, zone: v.zone}
	own.filter.Projects, own.filter.Jobs = nil, []string{j.Job}
	for i := from; i < len(j.Strip); {
		end := i + 1
		for j.Strip[i] == 'P' && end < len(j.Strip) && j.Strip[end] == 'P' {
			end++
		}
		first, last := &j.StripOf[i], &j.StripOf[end-1]
		one := letter{j.Strip[i:end], pipelineHref(j.Project, first.PipelineID), "#" + strconv.FormatInt(first.PipelineID, 10)}
		if end > i+1 {
			during := own.filter
			during.Window = analytics.Window{From: first.CreatedAt.Time(), To: last.CreatedAt.Time().Add(time.Millisecond)}
			one.href, one.title = own.tookHref(during, "job_run:"+j.Job, nil, nil), plural(int64(end-i), "pipeline")
		}
		all = append(all, one)
		i = end
	}
	return all
}

func dayCell(t time.Time, zone *time.Location) Cell { return Cell{t.In(zone).Format("2 Jan"), t} }

// restartedCard is the table of jobs that were retried.
func (d *Dashboard) restartedCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Restarted jobs", Question: "Which jobs were tried again, and what did that cost?", Define: "restarts", TableShown: true}
	r, err := d.restarts(ctx, v)
	if err != nil {
		return c, err
	}
	c.Table = Table{Columns: []Column{{"Job", "job", false}, {"Project", "project", false}, {"Pipelines", "pipelines", true}, {"Attempts", "attempts", true}, {"Runner time", "runner_s", true}, {"Added", "added_wall_s", true}}}
	for _, j := range r.Jobs[:min(len(r.Jobs), 12)] {
		c.Table.Rows = append(c.Table.Rows, Row{Href: v.jobHref(j.Project, j.Job), Cells: []Cell{textCell(j.Job), textCell(j.Project), countCell(j.Pipelines), countCell(j.Attempts), {chart.Duration(j.RunnerS), j.RunnerS}, {chart.Duration(j.AddedWallS), j.AddedWallS}}})
	}
	if len(r.Jobs) == 0 {
		c.Empty = &Empty{Text: "No job was tried again in this time."}
		return c, nil
	}
	c.Body = shown(&c, v.project.Name == "")
	return c, nil
}

// shownLetters is how many of the latest outcomes a table has room for.
const shownLetters = 45

// shown is the card's table as its body. The column project is for the pages
// over all projects.
func shown(c *Card, everywhere bool) template.HTML {
	t := c.Table
	drop := -1
	if !everywhere {
		drop = slices.IndexFunc(t.Columns, func(col Column) bool { return col.Field == "project" })
	}
	w := &htmlWriter{}
	w.f(`<div class="scroll" tabindex="0" role="region" aria-label="%s"><table class="list"><thead><tr>`, c.Title)
	for i, col := range t.Columns {
		if i != drop {
			w.f(`<th scope="col" class="%s">%s</th>`, right(col.Right), col.Name)
		}
	}
	w.f(`</tr></thead><tbody>`)
	for _, r := range t.Rows {
		w.f(`<tr>`)
		for i, cell := range r.Cells {
			switch {
			case i == drop:
			case i == 0 && r.Href != "":
				w.f(`<th scope="row" title="%s"><a href="%s">%s</a></th>`, cell.Text, r.Href, cell.Text)
			case i == 0:
				w.f(`<th scope="row" title="%s">%s</th>`, cell.Text, cell.Text)
			case t.Columns[i].Name == "Outcome" && cell.Text != "":
				w.f(`<td>`)
				w.raw(outcomeWord(cell.Text))
				w.f(`</td>`)
			case t.Columns[i].Field == "p50_change_s" && r.Change != "":
				w.f(`<td class="r"><span class="delta %s">%s</span></td>`, r.Change, cell.Text)
			case t.Columns[i].Field == "strip":
				w.f(`<td>`)
				w.letters(r.Letters)
				w.f(`</td>`)
			case r.Leads(i) != "":
				w.f(`<td class="%s"><a href="%s">%s</a></td>`, right(t.Columns[i].Right), r.Leads(i), cell.Text)
			default:
				w.f(`<td class="%s">%s</td>`, right(t.Columns[i].Right), cell.Text)
			}
		}
		w.f(`</tr>`)
	}
	w.f(`</tbody></table></div>`)
	return w.html()
}

func right(r bool) string {
	if r {
		return "r"
	}
	return ""
}
