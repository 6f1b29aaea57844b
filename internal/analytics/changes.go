package analytics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Changes are the metrics of projects that got slower, or whose level changed,
// in a window.
type Changes struct {
	From  Time     `json:"from"`
	To    Time     `json:"to"`
	Items []Change `json:"items"`
	// Truncated: there were more pipelines than are looked at; the oldest were
	// left out.
	Truncated bool `json:"truncated"`
}

// A Change is what became of one metric of one workflow.
type Change struct {
	Project  string  `json:"project"`
	Workflow *string `json:"workflow"`
	Metric   string  `json:"metric"` // wall, time_to_PHASE, PHASE, job_run:JOB or step:JOB/STEP
	Job      *string `json:"job"`
	Step     *string `json:"step"`
	Count    int     `json:"count"` // values in the window
	// Regressions are the times in which it was slower than before, by the rule.
	Regressions []Regression `json:"regressions"`
	ChangePoint *ChangePoint `json:"change_point"`

	topic topic
}

// A Regression is a time in which a rule held.
type Regression struct {
	SinceAt       Time    `json:"since_at"`       // creation of the first slow pipeline
	FirstPipeline int64   `json:"first_pipeline"` // its number
	Commit        *string `json:"commit"`         // its commit
	FiredAt       Time    `json:"fired_at"`       // creation of the pipeline with which the rule fired
	FiredPipeline int64   `json:"fired_pipeline"`
	ClearedAt     *Time   `json:"cleared_at"` // null: it is still slower
	BaselineS     float64 `json:"baseline_s"` // the medians with which the rule fired
	RecentS       float64 `json:"recent_s"`
	// Before and After are the percentiles of the window until it began, or
	// since the last one ended, and while it lasted; P is how likely chance
	// alone sets them as far apart.
	Before Spread  `json:"before"`
	After  Spread  `json:"after"`
	P      float64 `json:"p"`
	// PerWeek is how many such pipelines there are in a week.
	PerWeek float64 `json:"per_week"`
	// Attribution is there for wall alone, where the critical paths are known.
	Attribution *Attribution `json:"attribution"`

	episode  episode
	fromAt   time.Time // the first value before it
	untilAt  time.Time // the last value before it
	severity float64   // seconds a week
}

// A Spread is percentiles of some values.
type Spread struct {
	Count int     `json:"count"`
	P50S  float64 `json:"p50_s"`
	P80S  float64 `json:"p80_s"`
	P95S  float64 `json:"p95_s"`
}

// A ChangePoint is where a series changed its level, for a mark in a chart.
type ChangePoint struct {
	At       Time    `json:"at"` // creation of the first pipeline after it
	Pipeline int64   `json:"first_pipeline"`
	Commit   *string `json:"commit"`
	BeforeS  float64 `json:"before_p50_s"`
	AfterS   float64 `json:"after_p50_s"`
	P        float64 `json:"p"`
}

// Changes finds what changed in the filter's window, by the usual rules. Only
// the metrics named are looked at; none: all. A metric without any change is
// left out unless it was named.
func (a *Analytics) Changes(ctx context.Context, f Filter, metrics ...string) (Changes, error) {
	answer := Changes{From: Time(f.Window.From), To: Time(f.Window.To), Items: []Change{}}
	err := a.eachHistory(ctx, &f, func(ctx context.Context, s *scope, read *store.Reading, h *history) error {
		answer.Truncated = answer.Truncated || h.truncated
		found, err := s.changes(ctx, read, h, metrics)
		answer.Items = append(answer.Items, found...)
		return err
	})
	return answer, err
}

// ParseMetrics reads the parameter metric, which may be repeated.
func ParseMetrics(q url.Values) ([]string, error) { return listOf(q, "metric") }

// eachHistory reads the history of each project of the filter, one after the
// other, in one state of the database.
func (a *Analytics) eachHistory(ctx context.Context, f *Filter, each func(context.Context, *scope, *store.Reading, *history) error) error {
	return a.store.Read(ctx, func(ctx context.Context, read *store.Reading) error {
		all, err := projects(ctx, read, f)
		if err != nil {
			return err
		}
		if all == nil {
			return &FieldError{"project", fmt.Sprintf("Changes are looked for in %d projects at the most: name some.", maxProjects)}
		}
		for _, p := range all {
			s := &scope{f, []project{p}}
			h, err := s.history(ctx, read, p)
			if err == nil {
				err = each(ctx, s, read, h)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// changes looks at each series of a project.
func (s *scope) changes(ctx context.Context, read *store.Reading, h *history, metrics []string) ([]Change, error) {
	var all []Change
	for _, m := range h.topics() {
		if len(metrics) > 0 && !slices.Contains(metrics, m.metric()) {
			continue
		}
		c := changeOf(h.project.name, m, h.series[m], DefaultRule(m.isPipeline()))
		if len(c.Regressions) == 0 && c.ChangePoint == nil && len(metrics) == 0 {
			continue
		}
		all = append(all, c)
	}
	return all, s.explain(ctx, read, all)
}

// changeOf follows one series.
func changeOf(project string, m topic, series []value, rule Rule) Change {
	c := Change{Project: project, Workflow: name(m.workflow), Metric: m.metric(), Job: name(m.job), Step: name(m.step), Count: len(series), Regressions: []Regression{}, topic: m}
	values := secondsOf(series)
	from := 0
	for _, e := range rule.episodes(values) {
		if n := len(c.Regressions); e.worsened {
			from = c.Regressions[n-1].episode.since
		} else if n > 0 {
			from = c.Regressions[n-1].episode.cleared
		}
		c.Regressions = append(c.Regressions, regressionOf(series, values, from, e))
	}
	if s, found := changePoint(values, rule.FloorS); found {
		at := series[s.at]
		c.ChangePoint = &ChangePoint{Time(at.at), at.id, name(at.commit), s.before, s.after, s.p}
	}
	return c
}

// regressionOf tells of an episode; what is before it begins at from.
func regressionOf(series []value, values []float64, from int, e episode) Regression {
	first, fired := series[e.since], series[e.fired]
	from = min(from, e.since-1) // an end and a beginning may meet
	r := Regression{
		SinceAt: Time(first.at), FirstPipeline: first.id, Commit: name(first.commit), FiredAt: Time(fired.at), FiredPipeline: fired.id,
		BaselineS: e.baseline, RecentS: e.recent,
		Before: spread(values[from:e.since]), After: spread(values[e.since:e.cleared]),
		P: rankTest(values[from:e.since], values[e.since:e.cleared]), episode: e, fromAt: series[from].at, untilAt: series[e.since-1].at,
	}
	if e.cleared < len(series) {
		r.ClearedAt = new(Time(series[e.cleared].at))
	}
	weeks := series[e.cleared-1].at.Sub(series[from].at).Hours() / (24 * 7)
	r.PerWeek = float64(e.cleared-from) / max(weeks, 1)
	r.severity = (r.After.P50S - r.Before.P50S) * r.PerWeek
	return r
}

// spread is the percentiles of values in any order.
func spread(values []float64) Spread {
	ordered := slices.Sorted(slices.Values(values))
	return Spread{len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.8), percentile(ordered, 0.95)}
}

// explain adds to the regressions of the wall time what caused them.
func (s *scope) explain(ctx context.Context, read *store.Reading, changes []Change) error {
	if !slices.ContainsFunc(changes, func(c Change) bool { return c.Metric == metricWall && len(c.Regressions) > 0 }) {
		return nil
	}
	f := *s.Filter
	f.Results = nil
	good := scope{&f, s.projects}
	all, err := good.walks(ctx, read, s.Window)
	if err != nil {
		return err
	}
	inOrder := slices.SortedFunc(maps.Values(all), func(a, b *walk) int { return cmp.Compare(a.createdMS, b.createdMS) })
	for i := range changes {
		c := &changes[i]
		if c.Metric != metricWall {
			continue
		}
		for k := range c.Regressions {
			r := &c.Regressions[k]
			until := s.Window.To
			if r.ClearedAt != nil {
				until = time.Time(*r.ClearedAt)
			}
			r.Attribution = attributeAt(inOrder, c.Workflow, r.fromAt, time.Time(r.SinceAt), until)
		}
	}
	return nil
}

// attributeAt attributes what changed at an instant; the pipelines are in order
// of their creation.
func attributeAt(inOrder []*walk, workflow *string, from, at, until time.Time) *Attribution {
	var before, after side
	for _, w := range inOrder[placeOf(inOrder, from):placeOf(inOrder, until)] {
		switch {
		case w.workflow != text(workflow):
		case w.createdMS < at.UnixMilli():
			before.add(w)
		default:
			after.add(w)
		}
	}
	return attribute(before, after)
}

// placeOf is the first place of those that were created at an instant or later.
func placeOf(inOrder []*walk, at time.Time) int {
	i, _ := slices.BinarySearchFunc(inOrder, at.UnixMilli(), func(w *walk, ms int64) int { return cmp.Compare(w.createdMS, ms) })
	return i
}

// instant is the time of Unix milliseconds.
func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// name is a text, or nil if it is empty.
func name(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (t Time) compare(o Time) int { return time.Time(t).Compare(time.Time(o)) }

func (t Time) sub(o Time) time.Duration { return time.Time(t).Sub(time.Time(o)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Time) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.RFC3339, string(text))
	*t = Time(at)
	return err
}
