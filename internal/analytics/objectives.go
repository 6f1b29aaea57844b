package analytics

import (
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

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

// objective judges values in seconds, in any order.
func objective(project string, o ci.Objective, values []float64) Objective {
	if len(values) == 0 {
		return judged(project, o, 0, nil)
	}
	return judged(project, o, int64(len(values)), new(percentile(slices.Sorted(slices.Values(values)), o.Percentile)))
}

func judged(project string, o ci.Objective, count int64, value *float64) Objective {
	return Objective{project, o.Metric, o.Percentile, o.MaxS, count, value, count >= leastJudged && value != nil && *value > o.MaxS}
}
