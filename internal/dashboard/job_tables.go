package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// shownGroups is how many runners, branches and reasons a card lists.
const shownGroups = 8

// groupsCard shows sums of attempts by something that is said of them, the most
// frequent first: small multiples, whose bars share one scale.
func (d *Dashboard) groupsCard(ctx context.Context, v *view, c Card, column Column, parameter string, of func(*analytics.JobAnswer) []analytics.JobGroup) (Card, error) {
	a, err := d.jobAnswer(ctx, v)
	if err != nil {
		return c, err
	}
	c.TableShown = true
	c.Table = Table{Columns: []Column{column, {"p50", "p50_s", true}, {"p95", "p95_s", true}, {"Failed", "failure_rate", true}, {"Attempts", "count", true}}}
	var groups []analytics.JobGroup
	for _, g := range of(a) {
		ended := g.Passed + g.Restarted + g.Failed + g.Canceled
		if g.Name == "" || ended == 0 || len(groups) == shownGroups {
			continue
		}
		groups = append(groups, g)
		c.Table.Rows = append(c.Table.Rows, Row{Href: v.href("pipelines", parameter, g.Name), Cells: []Cell{
			textCell(g.Name), percentileCell(g.Run, .5), percentileCell(g.Run, .95), {share(g.Failed, ended), float64(g.Failed) / float64(ended)}, countCell(ended),
		}})
	}
	if len(groups) == 0 {
		c.Empty = &Empty{Text: "No attempt of this time says its " + strings.ToLower(column.Name) + "."}
		return c, nil
	}
	c.Note = template.HTML(template.HTMLEscapeString("The bars share one scale: p5 to p95, with p50 to p80 as a box. The trend is the p50.")) //nolint:gosec // escaped
	c.Body = multiples(&c, groups)
	return c, nil
}

// multiples draws each row of the table with a bar and a trend.
func multiples(c *Card, groups []analytics.JobGroup) template.HTML {
	longest := 0.0
	for i := range groups {
		if p95, ok := groups[i].Run.Percentiles.At(.95); ok {
			longest = max(longest, p95)
		}
	}
	w := &htmlWriter{}
	w.f(`<div class="scroll" tabindex="0" role="region" aria-label="%s"><table class="list jobs"><thead><tr>`, c.Title)
	for i, col := range c.Table.Columns {
		if i == 1 {
			w.f(`<th scope="col">Duration</th><th scope="col">Trend</th>`)
		}
		w.f(`<th scope="col" class="%s">%s</th>`, right(col.Right), col.Name)
	}
	w.f(`</tr></thead><tbody>`)
	for i, r := range c.Table.Rows {
		g := &groups[i]
		at := func(f float64) float64 {
			if s, ok := g.Run.Percentiles.At(f); ok {
				return s
			}
			return math.NaN()
		}
		w.f(`<tr><th scope="row" title="%s"><a href="%s">%s</a></th><td class="rb">`, r.Cells[0].Text, r.Href, r.Cells[0].Text)
		w.raw(chart.RangeBar(at(.05), at(.5), at(.8), at(.95), longest))
		w.f(`</td><td>`)
		w.raw(chart.Spark(floats(g.Spark), 0))
		w.f(`</td>`)
		few := ""
		if g.Run.Count < fewest {
			few = " few"
		}
		for _, cell := range r.Cells[1:] {
			w.f(`<td class="r%s">%s</td>`, few, cell.Text)
		}
		w.f(`</tr>`)
	}
	w.f(`</tbody></table></div>`)
	return w.html()
}

func percentileCell(s analytics.Summary, fraction float64) Cell {
	if value, ok := s.Percentiles.At(fraction); ok && s.Count > 0 {
		return secondsCell(&value)
	}
	return secondsCell(nil)
}

func (d *Dashboard) jobRunnersCard(ctx context.Context, v *view) (Card, error) {
	return d.groupsCard(ctx, v, Card{Title: "By runner", Question: "Is one machine slow?", Define: "job-run"}, Column{"Runner", "runner", false}, "runner",
		func(a *analytics.JobAnswer) []analytics.JobGroup { return a.ByRunner })
}

func (d *Dashboard) jobBranchesCard(ctx context.Context, v *view) (Card, error) {
	return d.groupsCard(ctx, v, Card{Title: "By branch", Question: "Does it differ between branches?", Define: "job-run"}, Column{"Branch", "ref", false}, "ref",
		func(a *analytics.JobAnswer) []analytics.JobGroup { return a.ByRef })
}

func (d *Dashboard) jobReasonsCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Why it fails", Question: "Its script, or the machine?", Define: "flaky", TableShown: true}
	a, err := d.jobAnswer(ctx, v)
	if err != nil {
		return c, err
	}
	c.Table = Table{Columns: []Column{{"Reason", "failure_reason", false}, {"Failures", "count", true}, {"Of all", "share", true}}}
	for _, r := range a.FailureReasons {
		if r.Reason != "" && len(c.Table.Rows) < shownGroups {
			c.Table.Rows = append(c.Table.Rows, Row{Href: v.href("pipelines", "reason", r.Reason, "result", ""), Cells: []Cell{{strings.ReplaceAll(r.Reason, "_", " "), r.Reason}, countCell(r.Count), {share(r.Count, a.Failed), float64(r.Count) / float64(max(1, a.Failed))}}})
		}
	}
	if len(c.Table.Rows) == 0 {
		c.Empty = &Empty{Text: "No failure of this time says its reason."}
		return c, nil
	}
	c.Body = shown(&c, true)
	return c, nil
}

const shownRuns = 30

// jobRunsCard lists the latest attempts.
func (d *Dashboard) jobRunsCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Latest attempts", Question: "Which pipelines?", Define: "job-run", TableShown: true}
	runs, err := d.jobRuns(ctx, v)
	if err != nil {
		return c, err
	}
	c.Table = Table{Columns: []Column{
		{"Pipeline", "pipeline_id", false},
		{"Created", "created_at", true},
		{"Branch", "ref", false},
		{"Attempt", "attempt", true},
		{"Outcome", "outcome", false},
		{"Queued", "queue_s", true},
		{"Ran", "duration_s", true},
		{"Critical", "on_critical_path", false},
		{"Runner", "runner", false},
		{"Reason", "failure_reason", false},
	}}
	for i := range runs.Items {
		r := &runs.Items[i]
		c.Table.Rows = append(c.Table.Rows, Row{Href: pipelineHref(r.Project, r.PipelineID), Cells: []Cell{
			{"#" + strconv.FormatInt(r.PipelineID, 10), r.PipelineID},
			timeCell(time.Time(r.CreatedAt), v.filter.Zone), textCell(r.Ref), countCell(r.Attempt), textCell(r.Outcome),
			secondsCell(r.QueueS), secondsCell(r.RunS),
			{map[bool]string{true: "yes"}[r.Critical], r.Critical},
			textCell(r.Runner), textCell(strings.ReplaceAll(r.FailureReason, "_", " ")),
		}})
	}
	few := c
	if n := len(c.Table.Rows); n > shownRuns {
		few.Table.Rows = c.Table.Rows[:shownRuns]
		c.Note = template.HTML(fmt.Sprintf("The latest %d of %d; CSV has all.", shownRuns, n)) //nolint:gosec // numbers alone
	}
	c.Body = shown(&few, true)
	return c, nil
}
