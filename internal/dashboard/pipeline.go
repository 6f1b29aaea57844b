package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A pipelineDetail is the page of one pipeline.
type pipelineDetail struct {
	Verdict  template.HTML // how it compares
	Facts    []fact
	Failed   []attemptRow // the failed jobs, first of all
	Parts    []partShare
	Card     Card
	Attempts []attemptRow
	Actions  []Link
}

type fact struct {
	Name, Value, Href string
}

// A partShare is what part of the wall time something took.
type partShare struct {
	Key, Name, Value string
	At, Percent      string // of the whole
}

// An attemptRow is an attempt in a table.
type attemptRow struct {
	Job, Href, Stage        string
	Number                  string
	Outcome                 template.HTML
	Queue, Run, Usual, Path string
	Saves, Runner, URL      string
	Delta                   delta
	Reason                  string
	Range                   template.HTML
}

// pipelinePage shows one pipeline.
func (d *Dashboard) pipelinePage(ctx context.Context, v *view, argument string) (string, *Page, error) {
	a, err := d.pipeline(ctx, v, argument)
	if err != nil {
		return "", nil, err
	}
	outcome := outcomeOf(&a.Pipeline)
	id := "#" + strconv.FormatInt(a.PipelineID, 10)
	p := &Page{
		Title: "Pipeline " + id, Tab: "Pipelines", Crumbs: v.crumbs(Link{"Pipelines", v.href("pipelines")}),
		Sub: timeCell(timeOf(a.CreatedAt), v.filter.Zone).Text + ", " + v.filter.Zone.String(), Aside: outcomeWord(outcome),
		ShareTitle: v.project.Name + " " + id + ": " + outcome + ", " + durationWords(a.ActiveS),
	}
	detail := pipelineDetail{Verdict: verdict(a), Facts: v.facts(a), Parts: parts(a)}
	draw := func(context.Context, *view) (Card, error) { return v.waterfall("waterfall", a), nil }
	detail.Card = d.card(ctx, v, "waterfall", draw)
	detail.Card.data = v.base() + "/data/waterfall?pipeline=" + strconv.FormatInt(a.PipelineID, 10)
	for i := range a.Jobs {
		r := v.attemptRow(a, &a.Jobs[i])
		detail.Attempts = append(detail.Attempts, r)
		if attemptOutcome(&a.Jobs[i]) == "failed" && !a.Jobs[i].IsRetried {
			detail.Failed = append(detail.Failed, r)
		}
	}
	if u := said(a.URL); strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://") {
		detail.Actions = append(detail.Actions, Link{"Open in the CI", u})
	}
	detail.Actions = append(detail.Actions, Link{"JSON", "/api/v1/pipelines/" + strconv.FormatInt(a.PipelineID, 10) + "?project=" + escapeQuery(a.Project)})
	p.Data = detail
	return "pipeline", p, nil
}

// pipeline asks for the pipeline of a number.
func (d *Dashboard) pipeline(ctx context.Context, v *view, number string) (*analytics.PipelineAnswer, error) {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: pipeline %q", store.ErrUnknown, number)
	}
	return d.Analytics.PipelineDetail(ctx, v.filter, id)
}

// waterfallCard is the jobs of the pipeline that the query names.
func (d *Dashboard) waterfallCard(ctx context.Context, v *view) (Card, error) {
	a, err := d.pipeline(ctx, v, v.query.Get("pipeline"))
	if err != nil {
		return Card{Title: "Jobs"}, err
	}
	return v.waterfall("waterfall", a), nil
}

// verdict says how the pipeline compares with those before it.
func verdict(a *analytics.PipelineAnswer) template.HTML {
	usual, ok := a.Usual.Percentiles.At(.5)
	if a.ActiveS == nil || !ok || a.Usual.Count == 0 {
		return ""
	}
	over := *a.ActiveS - usual
	word := "over"
	if over < 0 {
		word = "under"
	}
	s := fmt.Sprintf("It took <b>%s</b>, %s %s the p50 of the %s before it", chart.Duration(*a.ActiveS), chart.Duration(math.Abs(over)), word, plural(a.Usual.Count, "pipeline"))
	if a.Usual.SlowerThan != nil {
		s += fmt.Sprintf(": slower than <b>%.0f %%</b> of them", *a.Usual.SlowerThan*100)
	}
	if a.BlockedS != nil && *a.BlockedS >= 1 {
		s += ". It waited " + chart.Duration(*a.BlockedS) + " for a person, which does not count"
	}
	return template.HTML(s + ".") //nolint:gosec // numbers alone
}

// facts are what was said of the pipeline.
func (v *view) facts(a *analytics.PipelineAnswer) []fact {
	all := []fact{
		{"Branch", said(a.Ref), v.base() + "/pipelines?ref=" + escapeQuery(said(a.Ref))},
		{"Commit", said(a.Commit), v.base() + "/pipelines?ref=%40all&range=1y&q=" + escapeQuery(said(a.Commit))},
		{"Change", said(a.ChangeID), ""},
		{"Workflow", said(a.Workflow), ""},
		{"Trigger", said(a.Trigger), ""},
		{"Wall", durationOr(a.WallS), ""},
		{"Time to e2e", durationOr(a.TimeToE2eS), ""},
		{"Provider", said(a.Provider), ""},
		{"CI's word", said(a.RawStatus), ""},
	}
	if a.ReportedS != nil {
		all = append(all, fact{"Reported duration", chart.Duration(*a.ReportedS), ""})
	}
	if a.ReportedE2eS != nil {
		all = append(all, fact{"Reported e2e", chart.Duration(*a.ReportedE2eS), ""})
	}
	if a.ParentPipelineID != nil {
		all = append(all, fact{"Parent", "#" + strconv.FormatInt(*a.ParentPipelineID, 10), pipelineHref(said(a.ParentProject), *a.ParentPipelineID)})
	}
	return slices.DeleteFunc(all, func(f fact) bool { return f.Value == "" })
}

func durationOr(s *float64) string {
	if s == nil {
		return ""
	}
	return chart.Duration(*s)
}

// parts are where the wall time went.
func parts(a *analytics.PipelineAnswer) (all []partShare) {
	if a.WallS == nil || *a.WallS <= 0 {
		return nil
	}
	at := 0.0
	for _, p := range []struct {
		key, name string
		seconds   *float64
	}{{"run", "running", a.ExecutionS}, {"retry", "retrying", a.RetryS}, {"queue", "queued", a.QueueS}, {"blocked", "waiting for a person", a.BlockedS}, {"gap", "not known", a.GapS}} {
		if p.seconds != nil && *p.seconds > 0 {
			all = append(all, partShare{p.key, p.name, chart.Duration(*p.seconds), fmt.Sprintf("%.2f%%", at), fmt.Sprintf("%.2f%%", *p.seconds / *a.WallS * 100)})
			at += *p.seconds / *a.WallS * 100
		}
	}
	return all
}

// waterfall draws the attempts of a pipeline.
func (v *view) waterfall(id string, a *analytics.PipelineAnswer) Card {
	c := Card{
		Title: "Jobs", Question: "Why was this pipeline slow or red? What is on the critical path?", Define: "critical-path",
		Legend: []Sign{sign("", "lg-crit", "critical path"), sign("", "lg-wait", "waiting"), sign("", "lg-setup", "set-up"), sign("", "wr", "other jobs"), sign("", "k-failed", "failed"), sign("", "ghost", "usual p50–p95")},
		Table:  Table{Columns: []Column{{"Job", "job", false}, {"Attempt", "attempt", true}, {"Outcome", "outcome", false}, {"Waited", "queue_s", true}, {"Started at", "started_after_s", true}, {"Ran", "duration_s", true}, {"On critical path", "on_critical_path", false}}},
	}
	created := timeOf(a.CreatedAt)
	picture := chart.Waterfall{ID: id}
	for i := range a.Jobs {
		j := &a.Jobs[i]
		lane := laneOf(j, created)
		picture.Lanes = append(picture.Lanes, lane)
		started := nanCell(lane.Start)
		c.Table.Rows = append(c.Table.Rows, Row{Href: v.jobHref(a.Project, j.Job), Cells: []Cell{
			textCell(j.Job), countCell(j.Attempt), textCell(attemptOutcome(j)), secondsCell(j.QueueS), started, secondsCell(j.DurationS),
			{map[bool]string{true: "yes", false: "no"}[j.PathRunS != nil], j.PathRunS != nil},
		}})
	}
	slices.SortStableFunc(picture.Lanes, byStart)
	if len(picture.Lanes) == 0 {
		c.Empty = &Empty{Text: "No job of this pipeline is known."}
		return c
	}
	if len(a.Path) > 0 {
		var names []string
		for _, key := range a.Path {
			if k := slices.IndexFunc(a.Jobs, func(j analytics.Attempt) bool { return j.AttemptKey == key }); k >= 0 {
				names = append(names, a.Jobs[k].Job)
			}
		}
		c.Desc = "The critical path is " + strings.Join(names, ", then ") + "."
	}
	if !slices.ContainsFunc(a.Jobs, func(j analytics.Attempt) bool { return len(j.Needs) > 0 }) && len(a.Path) > 1 {
		c.Note = "Nobody said which job needs which: the path is inferred from their times."
	}
	c.Plots = []chart.Plot{picture.Plot()}
	return c
}

// byStart is the order of a waterfall: what has not run comes last.
func byStart(a, b chart.Lane) int {
	at := func(l chart.Lane) float64 {
		if math.IsNaN(l.Start) {
			return math.MaxFloat64
		}
		return l.Start
	}
	return cmp.Compare(at(a), at(b))
}

func nanCell(f float64) Cell {
	if math.IsNaN(f) {
		return Cell{"–", nil}
	}
	return Cell{chart.Duration(f), f}
}

// laneOf places an attempt on the axis of its pipeline.
func laneOf(j *analytics.Attempt, created time.Time) chart.Lane {
	after := func(t time.Time) float64 {
		if t.IsZero() || created.IsZero() {
			return math.NaN()
		}
		return t.Sub(created).Seconds()
	}
	l := chart.Lane{
		Name: j.Job, Start: after(timeOf(j.StartedAt)), End: after(timeOf(j.FinishedAt)), Wait: math.NaN(), Setup: math.NaN(),
		Usual: math.NaN(), UsualHigh: math.NaN(), Critical: j.PathRunS != nil, Kind: attemptOutcome(j),
	}
	if j.Attempt > 1 || j.IsRetried {
		l.Name += fmt.Sprintf(" · %d", j.Attempt)
	}
	if j.IsRetried {
		l.Kind = "retried"
	}
	if j.QueueS != nil && !math.IsNaN(l.Start) {
		l.Wait = l.Start - *j.QueueS
	}
	if j.DurationS != nil && math.IsNaN(l.End) && !math.IsNaN(l.Start) && l.Kind != "running" {
		l.End = l.Start + *j.DurationS
	}
	if p50, ok := j.Usual.Percentiles.At(.5); ok && j.Usual.Count >= fewest {
		if p95, ok := j.Usual.Percentiles.At(.95); ok {
			l.Usual, l.UsualHigh = p50, p95
		}
	}
	for _, s := range j.Steps {
		if s.Step == "up" || s.Step == "Set up job" {
			l.Setup = s.DurationS
		}
	}
	l.Text = laneText(j, l)
	return l
}

func laneText(j *analytics.Attempt, l chart.Lane) string {
	switch {
	case j.DurationS != nil && l.Kind == "failed":
		return chart.Duration(*j.DurationS) + ", failed"
	case j.DurationS != nil && l.Kind == "retried":
		return chart.Duration(*j.DurationS) + ", retried"
	case j.DurationS != nil:
		return chart.Duration(*j.DurationS)
	case l.Kind == "running":
		return "running"
	case l.Kind == "skipped" || l.Kind == "canceled":
		return l.Kind
	case j.Manual != nil && *j.Manual:
		return "waits for a person"
	}
	return "has not run"
}

func (v *view) attemptRow(a *analytics.PipelineAnswer, j *analytics.Attempt) attemptRow {
	r := attemptRow{
		Job: j.Job, Href: v.jobHref(a.Project, j.Job), Stage: said(j.Stage), Number: strconv.FormatInt(j.Attempt, 10), Outcome: outcomeWord(attemptOutcome(j)),
		Queue: durationWords(j.QueueS), Run: durationWords(j.DurationS), Path: durationWords(j.PathRunS), Saves: durationWords(j.SavesS),
		Runner: said(j.RunnerName), Usual: "–", Reason: said(j.FailureReason),
	}
	if r.Runner == "" {
		r.Runner = said(j.RunnerID)
	}
	if u := said(j.URL); strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://") {
		r.URL = u
	}
	if p50, ok := j.Usual.Percentiles.At(.5); ok && j.Usual.Count > 0 {
		r.Usual = chart.Duration(p50)
		if j.DurationS != nil {
			d := *j.DurationS - p50
			r.Delta = judged(d, chart.Signed(chart.Seconds, d), true, j.Usual.Count >= fewest && math.Abs(d) > .25*p50 && math.Abs(d) > 5)
		}
	}
	return r
}
