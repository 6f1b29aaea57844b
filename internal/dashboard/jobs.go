package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// How many jobs the overview and the page of jobs show.
const (
	overviewJobs = 12
	shownJobs    = 100
)

// jobsPage answers which jobs are slow, flaky or in the way.
func (d *Dashboard) jobsPage(ctx context.Context, v *view) (string, *Page, error) {
	p := &Page{Title: "Jobs", Tab: "Jobs", Sub: v.rangeWords() + " · " + v.refWords(), Crumbs: v.crumbs()}
	b := board{Filters: v.form(ctx, v.base()+"/jobs", v.fields(overviewFields))}
	b.Filters.CSV = csvHref(v.dataHref("all-jobs"))
	b.Rows = d.fill(ctx, v, p, []string{"all-jobs"})
	p.Data = &b
	return "board", p, nil
}

// fields are those of a form; over all projects there is no branch to choose.
func (v *view) fields(all int) int {
	if v.project.Name == "" {
		return all &^ byRef
	}
	return all
}

func (d *Dashboard) jobsCard(ctx context.Context, v *view) (Card, error) {
	c, err := d.jobTable(ctx, v, overviewJobs)
	c.Links = append(c.Links, Link{"All jobs", v.href("jobs")})
	return c, err
}

func (d *Dashboard) allJobsCard(ctx context.Context, v *view) (Card, error) {
	return d.jobTable(ctx, v, shownJobs)
}

// jobTable asks for so many jobs, in the order that the query wants.
func (d *Dashboard) jobTable(ctx context.Context, v *view, limit int) (Card, error) {
	c := Card{
		Title: "Jobs", Question: "Which jobs are slow, flaky or in the way?", Define: "job-run", TableShown: true,
		Legend: []Sign{sign("", "r-all", "p5–p95"), sign("", "r-box", "p50–p80")},
	}
	page := analytics.Page{Limit: limit, Sort: v.query.Get("sort"), Search: strings.TrimSpace(v.query.Get("q"))}
	if page.Sort == "" {
		page.Sort = "-p50"
	}
	a, err := d.Analytics.Jobs(ctx, v.filter, page)
	if err != nil {
		return c, err
	}
	c.Table = tableOf(a.Table())
	if len(a.Items) == 0 {
		c.Empty = d.nothing(ctx, v)
		c.Empty.Text = strings.Replace(c.Empty.Text, "pipelines", "jobs", 1)
		return c, nil
	}
	if a.IsTruncated {
		c.Note = template.HTML(fmt.Sprintf("The first %d in this order; there are more.", len(a.Items))) //nolint:gosec // a number
	}
	c.Body = v.jobRows(a, page.Sort)
	return c, nil
}

// jobRows is the table as HTML: with bars that share one scale.
func (v *view) jobRows(a *analytics.JobsAnswer, sort string) template.HTML {
	longest := 0.0
	for i := range a.Items {
		if p95, ok := a.Items[i].Run.Percentiles.At(.95); ok {
			longest = max(longest, p95)
		}
	}
	w := &htmlWriter{}
	w.f(`<div class="scroll" tabindex="0" role="region" aria-label="Table of jobs"><table class="list jobs"><thead><tr><th scope="col">Job</th>`)
	if v.project.Name == "" {
		w.f(`<th scope="col">Project</th>`)
	}
	action := v.base() + "/jobs"
	for _, h := range []struct{ name, by string }{
		{"p50", "p50"},
		{"Change of p50", "change"},
		{"p95", "p95"},
		{"Duration", ""},
		{"Trend", ""},
		{"On critical path", "path_share"},
		{"Could save", "saves"},
		{"Failed", "failure_rate"},
		{"Flaky", "flake_rate"},
		{"Queue p95", "queue_p95"},
		{"Attempts", "count"},
	} {
		v.jobHead(w, h.name, h.by, sort, action)
	}
	w.f(`</tr></thead><tbody>`)
	for i := range a.Items {
		v.jobRow(w, &a.Items[i], longest)
	}
	w.f(`</tbody></table></div>`)
	return w.html()
}

// jobHead is the head of a column, which sorts.
func (v *view) jobHead(w *htmlWriter, name, by, sort, action string) {
	class := "r"
	if by == "" || by == "path_share" {
		class = ""
	}
	if by == "" {
		w.f(`<th scope="col">%s</th>`, name)
		return
	}
	s := v.sortable(name, by, "-p50", action)
	mark, order := "", ""
	switch sort {
	case "-" + by:
		mark, order = " ↓", "descending"
	case by:
		mark, order = " ↑", "ascending"
	}
	if order == "" {
		w.f(`<th scope="col" class="%s"><a href="%s">%s</a></th>`, class, s.Href, name)
		return
	}
	w.f(`<th scope="col" class="%s" aria-sort="%s"><a href="%s">%s%s</a></th>`, class, order, s.Href, name, mark)
}

// What is drawn in red: rates from which somebody should look.
const (
	muchFailure = .05
	muchFlaky   = .02
)

func (v *view) jobRow(w *htmlWriter, j *analytics.JobRow, longest float64) {
	at := func(f float64) float64 {
		if s, ok := j.Run.Percentiles.At(f); ok && j.Run.Count > 0 {
			return s
		}
		return math.NaN()
	}
	w.f(`<tr><th scope="row" title="%s"><a href="%s">%s</a>`, j.Job, v.jobHref(j.Project, j.Job), j.Job)
	if j.Stage != nil {
		w.f(` <small class="dim">%s</small>`, *j.Stage)
	}
	w.f(`</th>`)
	if v.project.Name == "" {
		w.f(`<td title="%s"><a href="%s">%s</a></td>`, j.Project, projectHref(j.Project), j.Project)
	}
	few := ""
	if j.Run.Count < fewest {
		few = " few"
	}
	w.f(`<td class="r%s">%s</td><td class="r">`, few, nanCell(at(.5)).Text)
	if j.VersusP50S != nil {
		if delta := ratio(at(.5), *j.VersusP50S, j.IsChangeClear); delta.Text != "" {
			w.f(`<span class="delta %s">%s</span>`, delta.Class, delta.Text)
		}
	}
	w.f(`</td><td class="r%s">%s</td><td class="rb">`, few, nanCell(at(.95)).Text)
	w.raw(chart.RangeBar(at(.05), at(.5), at(.8), at(.95), longest))
	w.f(`</td><td>`)
	w.raw(chart.Spark(floats(j.Spark), 0))
	w.f(`</td><td class="cp">`)
	if j.PathShare != nil {
		w.raw(chart.Meter(*j.PathShare))
	}
	w.f(`%s</td><td class="r">%s</td>`, shareWords(j.PathShare), durationWords(j.SavesS))
	for _, r := range []struct {
		rate *float64
		much float64
	}{{j.FailureRate, muchFailure}, {j.FlakeRate, muchFlaky}} {
		class := "r"
		if r.rate != nil && *r.rate >= r.much && j.Count >= fewest {
			class = "r worse"
		}
		w.f(`<td class="%s">%s</td>`, class, shareWords(r.rate))
	}
	w.f(`<td class="r">%s</td><td class="r dim">%s</td></tr>`, durationWords(j.QueueP95S), chart.Count.String(float64(j.Count)))
}

func shareWords(share *float64) string {
	if share == nil {
		return "–"
	}
	return percent(*share)
}

// floats are values of which some are not there.
func floats(all []*float64) []float64 {
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = math.NaN()
		if v != nil {
			values[i] = *v
		}
	}
	return values
}

// typicalCard is the pipeline nearest to the median, as a waterfall.
func (d *Dashboard) typicalCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "A typical pipeline", Question: "What is on the critical path?", Define: "critical-path"}
	dots, err := d.allDots(ctx, v)
	if err != nil {
		return c, err
	}
	passed := slices.DeleteFunc(slices.Clone(dots.Items), func(p analytics.Dot) bool { return p.Outcome != analytics.Passed })
	if len(passed) == 0 {
		c.Empty = v.noValues("No pipeline of this time has passed.")
		return c, nil
	}
	slices.SortStableFunc(passed, func(a, b analytics.Dot) int { return compareFloats(a.ActiveS, b.ActiveS) })
	one := passed[len(passed)/2]
	own := v.filter
	own.Projects = []string{one.Project}
	a, err := d.Analytics.PipelineDetail(ctx, own, one.PipelineID)
	if err != nil {
		return c, err
	}
	made := v.waterfall("typical", a)
	made.Title, made.Question = fmt.Sprintf("A typical pipeline: #%d", one.PipelineID), c.Question
	made.Links = []Link{{"Open it", pipelineHref(one.Project, one.PipelineID)}}
	return made, nil
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
