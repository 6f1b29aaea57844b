package analytics

import (
	"cmp"
	"context"
	"fmt"
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
	Metric   string  `json:"metric"` // wall, end_of:PHASE, time_to_PHASE, PHASE, job_run:JOB or step:JOB/STEP
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

// Changes finds what changed in the filter's window, by the rule of each
// project. Only the metrics named are looked at; none: all. A metric without any
// change is left out unless it was named.
func (a *Analytics) Changes(ctx context.Context, f Filter, metrics ...string) (Changes, error) {
	answer := Changes{From: Time(f.Window.From), To: Time(f.Window.To), Items: []Change{}}
	err := a.eachHistory(ctx, &f, func(h *history) {
		answer.Truncated = answer.Truncated || h.truncated
		answer.Items = append(answer.Items, h.changes(f.Window.To, metrics)...)
	})
	return answer, err
}

// ParseMetrics reads the parameter metric, which may be repeated.
func ParseMetrics(q url.Values) ([]string, error) { return listOf(q, "metric") }

// eachHistory reads the history of each project of the filter, in one state of
// the database.
func (a *Analytics) eachHistory(ctx context.Context, f *Filter, each func(*history)) error {
	return a.store.Read(ctx, func(ctx context.Context, read *store.Reading) error {
		all, err := projects(ctx, read, f)
		if err != nil {
			return err
		}
		if all == nil {
			return &FieldError{"project", fmt.Sprintf("Changes are looked for in %d projects at the most: name some.", maxProjects)}
		}
		return a.scope(f, all).eachHistory(ctx, read, maxHistory, each)
	})
}

// changes looks at each series of a project.
func (h *history) changes(until time.Time, metrics []string) []Change {
	series := h.watched(&h.settings, metrics)
	all, by := make([]Change, len(series)), rulesOf(h.settings.Regression)
	atOnce(len(series), func(i int) {
		all[i] = changeOf(h.project.name, series[i], by.of(series[i].topic))
		if series[i].kind == topicWall {
			h.explain(&all[i], until)
		}
	})
	if len(metrics) > 0 {
		return all
	}
	return slices.DeleteFunc(all, func(c Change) bool { return len(c.Regressions) == 0 && c.ChangePoint == nil })
}

// changeOf follows one series.
func changeOf(project string, s *series, rule Rule) Change {
	c := Change{Project: project, Workflow: name(s.workflow), Metric: s.metric(), Job: name(s.job), Step: name(s.step), Count: len(s.values), Regressions: []Regression{}, topic: s.topic}
	values := s.seconds()
	for _, e := range rule.episodes(values) {
		c.Regressions = append(c.Regressions, regressionOf(s.values, values, e))
	}
	if split, found := changePoint(values, rule.FloorS); found {
		at := s.values[split.at]
		c.ChangePoint = &ChangePoint{Time(at.at), at.id, name(at.commit), split.before, split.after, split.p}
	}
	return c
}

// regressionOf tells of an episode.
func regressionOf(series []value, values []float64, e episode) Regression {
	first, fired := series[e.since], series[e.fired]
	from := min(e.from, e.since-1) // an end and a beginning may meet
	before, after := slices.Clone(values[from:e.since]), slices.Clone(values[e.since:e.cleared])
	slices.Sort(before)
	slices.Sort(after)
	r := Regression{
		SinceAt: Time(first.at), FirstPipeline: first.id, Commit: name(first.commit), FiredAt: Time(fired.at), FiredPipeline: fired.id,
		BaselineS: e.baseline, RecentS: e.recent,
		Before: spread(before), After: spread(after), P: rankTest(before, after), episode: e, fromAt: series[from].at, untilAt: series[e.since-1].at,
	}
	if e.cleared < len(series) {
		r.ClearedAt = new(Time(series[e.cleared].at))
	}
	weeks := series[e.cleared-1].at.Sub(series[from].at).Hours() / (24 * 7)
	r.PerWeek = float64(e.cleared-from) / max(weeks, 1)
	r.severity = (r.After.P50S - r.Before.P50S) * r.PerWeek
	return r
}

// spread is the percentiles of values in order.
func spread(ordered []float64) Spread {
	return Spread{len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.8), percentile(ordered, 0.95)}
}

// explain adds to the regressions of a wall time what caused them.
func (h *history) explain(c *Change, until time.Time) {
	for i := range c.Regressions {
		r := &c.Regressions[i]
		end := until
		if r.ClearedAt != nil {
			end = time.Time(*r.ClearedAt)
		}
		r.Attribution = h.paths.attributeAt(h.walks, c.topic.workflow, r.fromAt, time.Time(r.SinceAt), end)
	}
}

// attributeAt attributes what changed at an instant; the pipelines are in order
// of their creation.
func (p *paths) attributeAt(inOrder []walk, workflow string, from, at, until time.Time) *Attribution {
	var before, after walked
	for _, w := range inOrder[placeOf(inOrder, from):placeOf(inOrder, until)] {
		switch {
		case w.workflow != workflow:
		case w.createdMS < at.UnixMilli():
			before.add(w.wallMS, w.parts)
		default:
			after.add(w.wallMS, w.parts)
		}
	}
	return attribute(p.side(&before), p.side(&after))
}

// placeOf is the first place of those that were created at an instant or later.
func placeOf(inOrder []walk, at time.Time) int {
	i, _ := slices.BinarySearchFunc(inOrder, at.UnixMilli(), func(w walk, ms int64) int { return cmp.Compare(w.createdMS, ms) })
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
