package analytics

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
)

// A Backtest says when rules would have fired in the stored past.
type Backtest struct {
	From         Time    `json:"from"`
	To           Time    `json:"to"`
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
// all that are watched.
func (a *Analytics) Backtest(ctx context.Context, f Filter, pipeline, job Rule, metrics ...string) (Backtest, error) {
	answer := Backtest{From: Time(f.Window.From), To: Time(f.Window.To), PipelineRule: pipeline, JobRule: job, Items: []Alarm{}}
	err := a.eachHistory(ctx, &f, func(h *history) {
		answer.Truncated = answer.Truncated || h.truncated
		series := h.inOrder(metrics)
		all := make([][]Alarm, len(series))
		atOnce(len(series), func(i int) {
			rule := job
			if series[i].isPipeline() {
				rule = pipeline
			}
			all[i] = alarms(h.project.name, series[i], rule)
		})
		answer.Items = append(answer.Items, slices.Concat(all...)...)
	})
	slices.SortStableFunc(answer.Items, func(x, y Alarm) int { return x.FiredAt.compare(y.FiredAt) })
	answer.Fired = len(answer.Items)
	answer.Sentence = answer.sentence()
	return answer, err
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

// The bounds of a rule's figures.
const (
	maxRecent   = 50
	maxBaseline = 1000
	maxShare    = 100.0
	maxFloor    = 7 * 24 * 3600.0 // seconds
)

// ParseRules reads the rules of pipelines and of jobs from the parameters
// recent, baseline, least, rise, clear, floor_s (of pipelines) and job_floor_s;
// what is not said is as usual. It fails with a *FieldError.
func ParseRules(q url.Values) (pipeline, job Rule, err error) {
	pipeline, job = DefaultRule(true), DefaultRule(false)
	for _, p := range []struct {
		name  string
		at    *int
		least int
		most  int
	}{{"recent", &pipeline.Recent, 1, maxRecent}, {"baseline", &pipeline.Baseline, 1, maxBaseline}, {"least", &pipeline.Least, 1, maxBaseline}} {
		if said := q.Get(p.name); said != "" {
			if *p.at, err = strconv.Atoi(said); err != nil || *p.at < p.least || *p.at > p.most {
				return Rule{}, Rule{}, &FieldError{p.name, fmt.Sprintf("It must be a whole number from %d to %d.", p.least, p.most)}
			}
		}
	}
	if pipeline.Least > pipeline.Baseline {
		return Rule{}, Rule{}, &FieldError{"least", "It can't be more than baseline."}
	}
	for _, p := range []struct {
		name string
		at   *float64
		most float64
	}{{"rise", &pipeline.Rise, maxShare}, {"clear", &pipeline.Clear, maxShare}, {"floor_s", &pipeline.FloorS, maxFloor}, {"job_floor_s", &job.FloorS, maxFloor}} {
		if said := q.Get(p.name); said != "" {
			if *p.at, err = strconv.ParseFloat(said, 64); err != nil || !(*p.at >= 0 && *p.at <= p.most) {
				return Rule{}, Rule{}, &FieldError{p.name, fmt.Sprintf("It must be a number from 0 to %g.", p.most)}
			}
		}
	}
	floor := job.FloorS
	job = pipeline
	job.FloorS = floor
	return pipeline, job, nil
}
