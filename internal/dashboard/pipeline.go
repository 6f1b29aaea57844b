package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

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
	Note     string // of the attempts
	Actions  []Link
}

// A fact is something that was said; All is all of it, where Value is but the
// beginning.
type fact struct {
	Name, Value, Href, All string
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
	shown, rest := drawn(inOrder(a.Jobs))
	for _, j := range shown {
		r := v.attemptRow(a, j)
		if detail.Attempts = append(detail.Attempts, r); attemptOutcome(j) == "failed" && !j.IsRetried {
			detail.Failed = append(detail.Failed, r)
		}
	}
	if len(rest) > 0 {
		detail.Note = fmt.Sprintf("%d of %d: those on the critical path, those that failed, and the longest. JSON has all.", len(shown), len(a.Jobs))
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
	how := chart.Duration(math.Abs(over)) + " over"
	switch {
	case math.Abs(over) < 0.5:
		how = "which is"
	case over < 0:
		how = chart.Duration(-over) + " under"
	}
	s := fmt.Sprintf("It took <b>%s</b>, %s the p50 of the %s before it", chart.Duration(*a.ActiveS), how, plural(a.Usual.Count, "pipeline"))
	if a.Usual.SlowerThan != nil && over > 0 {
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
		{"Branch", said(a.Ref), v.base() + "/pipelines?ref=" + escapeQuery(said(a.Ref)), ""},
		{"Commit", shortCommit(said(a.Commit)), v.base() + "/pipelines?ref=%40all&range=1y&q=" + escapeQuery(said(a.Commit)), said(a.Commit)},
		{"Change", said(a.ChangeID), "", ""},
		{"Workflow", said(a.Workflow), "", ""},
		{"Trigger", said(a.Trigger), "", ""},
		{"Wall", durationOr(a.WallS), "", ""},
		{"Time to e2e", durationOr(a.TimeToE2eS), "", ""},
		{"Provider", said(a.Provider), "", ""},
		{"The CI says", said(a.RawStatus), "", ""},
	}
	if a.ReportedS != nil {
		all = append(all, fact{"Reported duration", chart.Duration(*a.ReportedS), "", ""})
	}
	if a.ReportedE2eS != nil {
		all = append(all, fact{"Reported e2e", chart.Duration(*a.ReportedE2eS), "", ""})
	}
	if a.ParentPipelineID != nil {
		all = append(all, fact{"Parent", "#" + strconv.FormatInt(*a.ParentPipelineID, 10), pipelineHref(said(a.ParentProject), *a.ParentPipelineID), ""})
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

func nanCell(f float64) Cell {
	if math.IsNaN(f) {
		return Cell{"–", nil}
	}
	return Cell{chart.Duration(f), f}
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
