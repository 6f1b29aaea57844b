package dashboard

import (
	"context"
	"errors"
	"html/template"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// pageRows is how many rows a list shows at once; CSV has up to maxRows.
const (
	pageRows = 50
	maxRows  = analytics.MaxLimit
)

// A pipelineRow is a pipeline in a list.
type pipelineRow struct {
	Href, ID, Project, ProjectHref string
	Ref, Commit, Trigger, Workflow string
	Outcome                        template.HTML
	Started                        string
	When                           string // RFC 3339
	Duration, Queue, ToE2e         string
	Bar                            template.HTML
	Restarted                      bool
	Guessed                        bool // nobody told the creation: Started is the earliest instant known
	FailedJobs                     []Link
	MoreFailed                     int
}

// A column of a list that can be sorted by.
type sortable struct {
	Name, Href string
	Sorted     string // ascending, descending, or empty: it is not sorted by it
	Right      bool
}

// A pipelineList is the page of pipelines.
type pipelineList struct {
	board

	Columns    []sortable
	Items      []pipelineRow
	Everywhere bool
	Next       string
	First      string // to the first page, from another
	Search     string
	Action     string
	Hidden     []hidden
}

// listPage reads how a list is wanted from the query. What can't be understood
// of a length is left out, with a notice.
func (v *view) listPage(limit int) analytics.Page {
	took, err := analytics.ParseTook(v.query)
	for wrong, is := errors.AsType[*analytics.FieldError](err); is && v.query.Has(wrong.Field); wrong, is = errors.AsType[*analytics.FieldError](err) {
		v.notices = append(v.notices, wrong.Field+" was left out. "+wrong.Reason)
		v.query.Del(wrong.Field)
		took, err = analytics.ParseTook(v.query)
	}
	maps.Copy(v.query, took.Query())
	return analytics.Page{Took: took, Sort: v.query.Get("sort"), Cursor: v.query.Get("cursor"), Limit: limit, Search: strings.TrimSpace(v.query.Get("q"))}
}

// pipelinesPage lists pipelines.
func (d *Dashboard) pipelinesPage(ctx context.Context, v *view) (string, *Page, error) {
	fields := overviewFields &^ byVersus
	if v.project.Name == "" {
		fields &^= byRef
	}
	action := v.base() + "/pipelines"
	list := pipelineList{board: board{Filters: v.form(ctx, action, fields)}, Everywhere: v.project.Name == "", Action: action, Search: v.query.Get("q")}
	list.Filters.CSV = v.dataHref("pipelines")
	list.Filters.CSV = csvHref(list.Filters.CSV)
	page := v.listPage(pageRows)
	answer, err := d.Analytics.Pipelines(ctx, v.filter, page)
	if err != nil {
		return "", nil, err
	}
	if page.Took.Metric != "" {
		list.Filters.Chips = append(list.Filters.Chips, Link{tookWords(&page.Took), action + v.link(v.filter.Query())})
	}
	p := &Page{Title: "Pipelines", Tab: "Pipelines", Sub: v.rangeWords() + " · " + v.refWords(), Crumbs: v.crumbs(), Data: &list}
	list.fill(v, &page.Took, answer)
	if len(list.Items) == 0 {
		list.Empty = d.nothing(ctx, v)
	}
	if v.query.Get("cursor") != "" {
		q := v.filter.Query()
		maps.Copy(q, page.Took.Query())
		list.First = action + v.link(q)
	}
	if v.query.Get("cursor") == "" && list.Search == "" && page.Took.Metric == "" && v.project.Name != "" && len(list.Items) > 0 {
		list.Rows = d.fill(ctx, v, p, []string{"each-pipeline"})
	}
	return "pipelines", p, nil
}

// tookWords say which lengths of what are chosen.
func tookWords(t *analytics.Took) string {
	words := metricName(t.Metric)
	at := func(ms *int64) string { return chart.Duration(float64(*ms) / 1000) }
	switch {
	case t.FromMS != nil && t.ToMS != nil:
		return words + ": " + at(t.FromMS) + " to " + at(t.ToMS)
	case t.FromMS != nil:
		return words + ": from " + at(t.FromMS)
	case t.ToMS != nil:
		return words + ": below " + at(t.ToMS)
	}
	return words + ": known"
}

func csvHref(data string) string { return Card{data: data}.DataHref("csv") }

// fill makes the rows, with bars that share one scale.
func (list *pipelineList) fill(v *view, took *analytics.Took, answer *analytics.PipelinesAnswer) {
	longest := 0.0
	for i := range answer.Items {
		if s := answer.Items[i].ActiveS; s != nil {
			longest = max(longest, *s)
		}
	}
	for i := range answer.Items {
		list.Items = append(list.Items, v.pipelineRow(&answer.Items[i], longest))
	}
	for _, c := range []struct{ name, by string }{{"Duration", "active"}, {"Queued", "queue"}, {"To e2e", "time_to_e2e"}, {"Started", "created"}} {
		list.Columns = append(list.Columns, v.sortable(c.name, c.by, "-created", list.Action))
	}
	if answer.Next != nil {
		q := v.filter.Query()
		maps.Copy(q, v.own())
		q.Set("cursor", *answer.Next)
		list.Next = list.Action + v.link(q)
	}
	q := v.filter.Query()
	maps.Copy(q, took.Query())
	v.linkNames(q)
	for name, values := range q {
		for _, value := range values {
			list.Hidden = append(list.Hidden, hidden{name, value})
		}
	}
}

// sortable is the head of a column: it sorts by the column, the greatest first,
// and turned around where it does already.
func (v *view) sortable(name, by, usual, action string) sortable {
	q := v.filter.Query()
	maps.Copy(q, v.own())
	c := sortable{Name: name, Right: true}
	now := q.Get("sort")
	if now == "" {
		now = usual
	}
	next := "-" + by
	switch now {
	case "-" + by:
		c.Sorted, next = "descending", by
	case by:
		c.Sorted = "ascending"
	}
	q.Set("sort", next)
	if next == usual {
		q.Del("sort")
	}
	c.Href = action + v.link(q)
	return c
}

const shownFailed = 2 // jobs that a row names

func (v *view) pipelineRow(p *analytics.Pipeline, longest float64) pipelineRow {
	created := timeOf(p.CreatedAt)
	r := pipelineRow{
		Href: pipelineHref(p.Project, p.PipelineID), ID: "#" + strconv.FormatInt(p.PipelineID, 10),
		Project: p.Project, ProjectHref: projectHref(p.Project),
		Ref: said(p.Ref), Commit: shortCommit(said(p.Commit)), Trigger: said(p.Trigger), Workflow: said(p.Workflow),
		Outcome: outcomeWord(outcomeOf(p)), Started: timeCell(created, v.filter.Zone).Text, When: stamp(created),
		Duration: durationWords(p.ActiveS), Queue: durationWords(p.QueueS), ToE2e: durationWords(p.TimeToE2eS), Restarted: p.HasRestarts,
		Guessed: !p.CreatedAtIsKnown,
	}
	if p.ActiveS != nil && longest > 0 {
		r.Bar = chart.Meter(*p.ActiveS / longest)
	}
	for i, job := range p.FailedJobs {
		if i == shownFailed {
			r.MoreFailed = len(p.FailedJobs) - i
			break
		}
		r.FailedJobs = append(r.FailedJobs, Link{job, v.jobHref(p.Project, job)})
	}
	return r
}

// pipelinesCard is the list as data: all rows, as far as there are not too many.
func (d *Dashboard) pipelinesCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Pipelines", Question: "Which pipelines?"}
	page := v.listPage(maxRows)
	page.Cursor = ""
	answer, err := d.Analytics.Pipelines(ctx, v.filter, page)
	if err != nil {
		return c, err
	}
	c.Table = tableOf(answer.Table())
	return c, nil
}

// tableOf is an answer's own table, for CSV and JSON alone.
func tableOf(t analytics.Table) Table {
	var all Table
	for _, name := range t.Columns {
		all.Columns = append(all.Columns, Column{Name: name, Field: name})
	}
	for _, values := range t.Rows {
		r := Row{}
		for _, value := range values {
			r.Cells = append(r.Cells, Cell{"", plainValue(value)})
		}
		all.Rows = append(all.Rows, r)
	}
	return all
}

// plainValue takes pointers off.
func plainValue(v any) any {
	switch v := v.(type) {
	case *string:
		if v != nil {
			return *v
		}
	case *float64:
		if v != nil {
			return *v
		}
	case *int64:
		if v != nil {
			return *v
		}
	case *analytics.Time:
		if v != nil {
			return time.Time(*v)
		}
	case analytics.Time:
		return time.Time(v)
	default:
		return v
	}
	return nil
}

// eachPipelineCard shows every pipeline as a dot, above the list.
func (d *Dashboard) eachPipelineCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{
		id: "each-pipeline", title: "Each pipeline", question: "Which stand out?", define: "active", metric: "active", height: 190, ticks: 10,
		dots: func(ctx context.Context) ([]chart.Dot, string, error) { return d.dots(ctx, v) },
	})
}

// find goes to what was asked for: a pipeline by number, a project, or the
// pipelines and jobs that have the words.
func (d *Dashboard) find(w http.ResponseWriter, r *http.Request) error {
	words, in := strings.TrimSpace(r.URL.Query().Get("q")), r.URL.Query().Get("in")
	to := "/"
	if p, err := d.Store.Project(r.Context(), words); err == nil {
		to = projectHref(p.Name)
	} else if p, err := d.Store.Project(r.Context(), in); err == nil && words != "" {
		v := &view{project: p}
		to = v.base() + "/jobs?q=" + escapeQuery(words)
		if id, err := strconv.ParseInt(strings.TrimPrefix(words, "#"), 10, 64); err == nil {
			to = pipelineHref(p.Name, id)
			if _, err := d.Store.Pipeline(r.Context(), p.ID, id); err != nil {
				to = v.base() + "/pipelines?ref=%40all&q=" + escapeQuery(words)
			}
		} else if isCommit(words) {
			to = v.base() + "/pipelines?ref=%40all&range=1y&q=" + escapeQuery(words)
		}
	} else if words != "" {
		to = "/?q=" + escapeQuery(words)
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // all of these are paths of ours, and what was asked for is escaped
	return nil
}

// isCommit tells whether words are the beginning of a commit's hash.
func isCommit(words string) bool {
	return len(words) >= 7 && len(words) <= 64 && strings.Trim(words, "0123456789abcdef") == ""
}
