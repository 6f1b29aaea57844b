// Package exporter tells other systems, in their formats, what the questions
// answer. It has no figure of its own.
package exporter

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/kept"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxKept is how many projects, objectives and findings of all answers together
// are kept: some tens of megabytes.
const maxKept = 50_000

// Prometheus tells Prometheus what pipelines are like. It is safe for concurrent
// use.
type Prometheus struct {
	store     *store.Store
	analytics *analytics.Analytics
	now       func() time.Time
	answers   kept.Answers[*answer]
}

// NewPrometheus tells of the pipelines of an open store. Where now is nil, it is
// time.Now.
func NewPrometheus(st *store.Store, now func() time.Time) *Prometheus {
	if now == nil {
		now = time.Now
	}
	return &Prometheus{
		store: st, analytics: analytics.New(analytics.Config{Store: st, Now: now}), now: now,
		answers: kept.Answers[*answer]{Now: now, Size: (*answer).size, Most: maxKept},
	}
}

// Pipelines answers with what the questions answer, for the filter of the query.
// It writes all, or fails before it has written anything.
func (p *Prometheus) Pipelines(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f, err := analytics.ParseFilter(q, p.now())
	if err != nil {
		return err
	}
	asked, err := questionsIn(q)
	if err != nil {
		return err
	}
	key := strconv.FormatInt(p.store.Decided(), 10) + "?" + f.Query().Encode() + "&" + strings.Join(asked, "&")
	a, err := p.answers.Get(r.Context(), key, func(ctx context.Context) (*answer, bool, error) {
		a, err := p.ask(ctx, f, asked)
		return a, true, err
	})
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(a); err != nil {
		return fmt.Errorf("describe the series: %w", err)
	}
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}

// The questions that are answered, by their names in the API.
const (
	overview   = "overview"
	objectives = "objectives"
	findings   = "findings"
)

// questionsIn reads the parameter question, which may be repeated; none: all.
func questionsIn(q url.Values) ([]string, error) {
	all := []string{findings, objectives, overview}
	asked := slices.DeleteFunc(slices.Clone(q["question"]), func(s string) bool { return s == "" })
	for _, one := range asked {
		if !slices.Contains(all, one) {
			return nil, &analytics.FieldError{Field: "question", Reason: "It must be overview, objectives or findings."}
		}
	}
	if len(asked) == 0 {
		return all, nil
	}
	slices.Sort(asked)
	return slices.Compact(asked), nil
}

// An answer is what is told to all who ask the same.
type answer struct {
	window     analytics.Window
	projects   int   // that were asked about
	pending    int64 // pipelines whose phases are derived again
	overview   []project
	objectives []analytics.Objective
	findings   []analytics.Finding
}

// A project is a row of the overview. Of its strip it has the newest pipeline, and
// the newest that has ended; nil: there is none.
type project struct {
	analytics.ProjectRow

	newest, ended *analytics.StripMark
}

func projectOf(row analytics.ProjectRow) project {
	p := project{ProjectRow: row}
	for _, m := range row.Last {
		p.newest = &m
		if m.Outcome != analytics.Unfinished {
			p.ended = &m
		}
	}
	p.Last = nil
	return p
}

func (a *answer) size() int {
	if a == nil {
		return 0
	}
	return len(a.overview) + len(a.objectives) + len(a.findings)
}

// atOnce is how many projects a question is asked about at once: as many as all
// of them answer for.
const atOnce = 500

// ask asks the questions, of any number of projects.
func (p *Prometheus) ask(ctx context.Context, f analytics.Filter, asked []string) (*answer, error) {
	a := &answer{window: f.Window}
	var err error
	if a.pending, err = p.store.PendingIn(ctx, f.Projects); err != nil {
		return nil, fmt.Errorf("count what is pending: %w", err)
	}
	if len(f.Projects) > 0 { // the parser takes no more of them than a question
		return a, p.askSome(ctx, f, asked, a)
	}
	for after, more := "", true; more; {
		all, err := p.store.Projects(ctx, after, atOnce)
		if err != nil {
			return nil, fmt.Errorf("list the projects: %w", err)
		}
		if more = len(all) == atOnce; len(all) == 0 {
			break
		}
		f.Projects = nil
		for i := range all {
			f.Projects = append(f.Projects, all[i].Name)
		}
		after = f.Projects[len(f.Projects)-1]
		if err := p.askSome(ctx, f, asked, a); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// askSome adds what is answered about the projects that the filter names.
func (p *Prometheus) askSome(ctx context.Context, f analytics.Filter, asked []string, a *answer) error {
	a.projects += len(f.Projects)
	for _, one := range asked {
		switch one {
		case overview:
			got, err := p.analytics.Projects(ctx, f)
			if err != nil {
				return fmt.Errorf("ask for the overview: %w", err)
			}
			for _, row := range got.Items {
				a.overview = append(a.overview, projectOf(row))
			}
		case objectives:
			got, err := p.objectives(ctx, f)
			if err != nil {
				return fmt.Errorf("ask for the objectives: %w", err)
			}
			a.objectives = append(a.objectives, got...)
		case findings:
			got, err := p.analytics.Findings(ctx, f)
			if err != nil {
				return fmt.Errorf("ask for the findings: %w", err)
			}
			a.findings = append(a.findings, got.Items...)
		}
	}
	return nil
}

// objectives are those of the projects that the filter names; of several of one
// metric and percentile, the strictest. An answer has 200: where there are more,
// each half of the projects is asked about, and none has so many.
func (p *Prometheus) objectives(ctx context.Context, f analytics.Filter) ([]analytics.Objective, error) {
	got, err := p.analytics.Objectives(ctx, f)
	if err != nil {
		return nil, err
	}
	if n := len(f.Projects); got.Truncated && n > 1 {
		first, second := f, f
		first.Projects, second.Projects = f.Projects[:n/2], f.Projects[n/2:]
		some, err := p.objectives(ctx, first)
		if err != nil {
			return nil, err
		}
		rest, err := p.objectives(ctx, second)
		return append(some, rest...), err
	}
	compare := func(a, b analytics.Objective) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Percentile, b.Percentile))
	}
	slices.SortFunc(got.Items, func(a, b analytics.Objective) int { return cmp.Or(compare(a, b), cmp.Compare(a.MaxS, b.MaxS)) })
	return slices.CompactFunc(got.Items, func(a, b analytics.Objective) bool { return compare(a, b) == 0 }), nil
}
