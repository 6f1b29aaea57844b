package analytics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A Backtest says when rules would have fired in the stored past.
type Backtest struct {
	From Time `json:"from"`
	To   Time `json:"to"`
	// The rules of the one project that was asked for; of several, those of
	// projects whose settings say nothing of them.
	PipelineRule Rule    `json:"pipeline_rule"` // of wall, milestones and phases
	JobRule      Rule    `json:"job_rule"`      // of jobs and steps
	Fired        int     `json:"fired"`
	Sentence     string  `json:"sentence"`
	Items        []Alarm `json:"items"` // in order of time
	Truncated    bool    `json:"truncated"`
}

// An Alarm is a time at which a rule would have fired.
type Alarm struct {
	Project       string  `json:"project"`
	Workflow      *string `json:"workflow"`
	Metric        string  `json:"metric"`
	FiredAt       Time    `json:"fired_at"` // creation of the pipeline with which it fires
	FiredPipeline int64   `json:"fired_pipeline"`
	SinceAt       Time    `json:"since_at"` // creation of the first slow pipeline
	FirstPipeline int64   `json:"first_pipeline"`
	Commit        *string `json:"commit"`
	BaselineS     float64 `json:"baseline_s"`
	RecentS       float64 `json:"recent_s"`
	ClearedAt     *Time   `json:"cleared_at"` // null: it would still hold
}

// Backtest runs rules over the filter's window, for the metrics named; none:
// all that are watched. Figures that are not asked for are those of each
// project.
func (a *Analytics) Backtest(ctx context.Context, f Filter, asked ci.RegressionRule, metrics ...string) (Backtest, error) {
	shown := rulesOf(asked)
	answer := Backtest{From: Time(f.Window.From), To: Time(f.Window.To), Items: []Alarm{}}
	err := a.eachHistory(ctx, &f, func(h *history) {
		by := h.settings
		by.Regression = asked.Or(by.Regression)
		if len(f.Projects) == 1 {
			shown = rulesOf(by.Regression)
		}
		answer.Truncated = answer.Truncated || h.truncated
		answer.Items = append(answer.Items, h.alarms(&by, metrics)...)
	})
	answer.PipelineRule, answer.JobRule = shown.pipeline, shown.job
	answer.tell()
	return answer, err
}

// tell puts what was found in order, and in words.
func (b *Backtest) tell() {
	slices.SortStableFunc(b.Items, func(x, y Alarm) int { return x.FiredAt.compare(y.FiredAt) })
	b.Fired = len(b.Items)
	b.Sentence = b.sentence()
}

// alarms runs the rules of settings over the series that they watch.
func (h *history) alarms(by *ci.Settings, metrics []string) []Alarm {
	series, rules := h.watched(by, metrics), rulesOf(by.Regression)
	all := make([][]Alarm, len(series))
	atOnce(len(series), func(i int) { all[i] = alarms(h.project.name, series[i], rules.of(series[i].topic)) })
	return slices.Concat(all...)
}

// alarms runs a rule over one series.
func alarms(project string, s *series, rule Rule) []Alarm {
	var all []Alarm
	for _, e := range rule.episodes(s.seconds()) {
		first, fired := s.values[e.since], s.values[e.fired]
		alarm := Alarm{
			Project: project, Workflow: name(s.workflow), Metric: s.metric(), FiredAt: Time(fired.at), FiredPipeline: fired.id,
			SinceAt: Time(first.at), FirstPipeline: first.id, Commit: name(first.commit), BaselineS: e.baseline, RecentS: e.recent,
		}
		if e.cleared < len(s.values) {
			alarm.ClearedAt = new(Time(s.values[e.cleared].at))
		}
		all = append(all, alarm)
	}
	return all
}

func (b *Backtest) sentence() string {
	times := "not have fired"
	switch b.Fired {
	case 0:
	case 1:
		times = "have fired once"
	default:
		times = fmt.Sprintf("have fired %d times", b.Fired)
	}
	days := int(math.Round(b.To.sub(b.From).Hours() / 24))
	if days == 1 {
		return "Would " + times + " in 1 day."
	}
	return fmt.Sprintf("Would %s in %d days.", times, days)
}

// ParseRule reads the figures of a rule from the parameters recent, baseline,
// least, rise, clear, floor_s (of pipelines) and job_floor_s. It fails with a
// *FieldError.
func ParseRule(q url.Values) (r ci.RegressionRule, err error) {
	for name, at := range map[string]**int{"recent": &r.Recent, "baseline": &r.Baseline, "least": &r.Least} {
		if said := q.Get(name); said != "" {
			n, err := strconv.Atoi(said)
			if err != nil {
				return r, &FieldError{name, "It must be a whole number."}
			}
			*at = &n
		}
	}
	for name, at := range map[string]**float64{"rise": &r.Rise, "clear": &r.Clear, "floor_s": &r.FloorS, "job_floor_s": &r.JobFloorS} {
		if said := q.Get(name); said != "" {
			n, err := strconv.ParseFloat(said, 64)
			if err != nil {
				return r, &FieldError{name, "It must be a number."}
			}
			*at = &n
		}
	}
	if invalid, ok := errors.AsType[*ci.InvalidError](r.Validate()); ok {
		first := invalid.Fields[0]
		return r, &FieldError{strings.TrimPrefix(first.Pointer, "/"), "It " + first.Reason + "."}
	}
	return r, nil
}
