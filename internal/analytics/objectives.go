package analytics

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxObjectives is how many an answer has at the most.
const maxObjectives = 200

// Objectives are what the filter's projects want figures to be, and what they
// are in the filter's window.
type Objectives struct {
	From  Time        `json:"from"`
	To    Time        `json:"to"`
	Items []Objective `json:"items"` // by project, in the order of its settings
	// Truncated: there are more than 200; the rest was not looked at.
	Truncated bool `json:"truncated"`
}

// leastJudged is how many values an objective is judged by, at the least.
const leastJudged = 5

// An Objective is what a project wants a figure to be, and what it is.
type Objective struct {
	Project    string   `json:"project"`
	Metric     string   `json:"metric"`
	Percentile float64  `json:"percentile"` // 0 to 1
	MaxS       float64  `json:"max_s"`
	Count      int64    `json:"count"`   // values in the window
	ValueS     *float64 `json:"value_s"` // the percentile; null: there are no values
	// IsMissed tells that the figure is above the maximum; of fewer than 5 values
	// it is never said.
	IsMissed bool `json:"is_missed"`
}

// objective judges values in milliseconds, whose order it changes.
func objective(project string, o ci.Objective, ms []int64) Objective {
	s := summaryOf(ms, o.Percentile)
	return judgedBy(project, o, s.Count, s.Percentiles.at(o.Percentile))
}

func judgedBy(project string, o ci.Objective, count int64, value *float64) Objective {
	return Objective{project, o.Metric, o.Percentile, o.MaxS, count, value, count >= leastJudged && value != nil && *value > o.MaxS}
}

// Objectives judges the objectives of the filter's projects.
func (a *Analytics) Objectives(ctx context.Context, f Filter) (Objectives, error) {
	answer := Objectives{From: Time(f.Window.From), To: Time(f.Window.To), Items: []Objective{}}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		settings, err := allSettings(ctx, read)
		if err != nil {
			return err
		}
		names, err := s.names(ctx, read)
		if err != nil {
			return err
		}
		var wanted []project
		for id, name := range names {
			if len(settings[id].Objectives) > 0 {
				wanted = append(wanted, project{id, name})
			}
		}
		slices.SortFunc(wanted, func(x, y project) int { return strings.Compare(x.name, y.name) })
		for _, p := range wanted {
			one := s.over(p)
			for _, o := range settings[p.id].Objectives {
				if answer.Truncated = len(answer.Items) == maxObjectives; answer.Truncated {
					return nil
				}
				got, err := one.objective(ctx, read, p.name, o)
				if err != nil {
					return fmt.Errorf("judge an objective of %s: %w", p.name, err)
				}
				answer.Items = append(answer.Items, got)
			}
		}
		return nil
	})
	return answer, err
}

// objective reads one figure. A metric that is none any more has no values.
func (s *scope) objective(ctx context.Context, read *store.Reading, name string, o ci.Objective) (Objective, error) {
	measured, err := parseMetric(o.Metric)
	if err != nil {
		return judgedBy(name, o, 0, nil), nil //nolint:nilerr // it has no values, which is an answer
	}
	var ms []float64
	err = measured(ctx, read, s, s.Window, func(_ int64, v float64) { ms = append(ms, v) })
	sum := summary(ms, []float64{o.Percentile})
	return judgedBy(name, o, sum.Count, sum.Percentiles.at(o.Percentile)), err
}

// maximum is what the only one of the projects wants a percentile of a metric
// to be at most; nil: it does not say.
func maximum(ctx context.Context, read *store.Reading, projects []project, metric string, percentile float64) (*float64, error) {
	if len(projects) != 1 {
		return nil, nil //nolint:nilnil // null is an answer
	}
	settings, err := allSettings(ctx, read)
	for _, o := range settings[projects[0].id].Objectives {
		if o.Metric == metric && math.Abs(o.Percentile-percentile) < 1e-9 {
			return &o.MaxS, err
		}
	}
	return nil, err
}

// Table has a row for each objective.
func (o Objectives) Table() Table {
	t := Table{Columns: []string{"project", "metric", "percentile", "max_s", "count", "value_s", "is_missed"}}
	for _, i := range o.Items {
		t.Rows = append(t.Rows, []any{i.Project, i.Metric, i.Percentile, i.MaxS, i.Count, i.ValueS, i.IsMissed})
	}
	return t
}
