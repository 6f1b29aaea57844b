package analytics

import (
	"context"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// An OutcomesAnswer is how pipelines ended: over the window, the time to
// compare with, and each bucket.
type OutcomesAnswer struct {
	Timeline

	Summary Outcomes         `json:"summary"`
	Versus  *Outcomes        `json:"versus"` // null: nothing to compare with
	Buckets []OutcomesBucket `json:"buckets"`
}

// An OutcomesBucket is one slice of the window.
type OutcomesBucket struct {
	Slice
	Outcomes
}

// Outcomes are numbers of pipelines. The rates leave out those that were
// canceled or skipped or have not ended, and are null where nothing is left.
type Outcomes struct {
	Count        int64    `json:"count"`
	Passed       int64    `json:"passed"` // at the first try
	Restarted    int64    `json:"restarted"`
	Failed       int64    `json:"failed"`
	Canceled     int64    `json:"canceled"`
	Skipped      int64    `json:"skipped"`
	Unfinished   int64    `json:"unfinished"`
	SuccessRate  *float64 `json:"success_rate"`   // passed and restarted
	FirstTryRate *float64 `json:"first_try_rate"` // passed
}

// add counts a pipeline; rates is to be called when all are counted.
func (o *Outcomes) add(outcome string) {
	o.Count++
	switch outcome {
	case Passed:
		o.Passed++
	case Restarted:
		o.Restarted++
	case Failed:
		o.Failed++
	case Canceled:
		o.Canceled++
	case Skipped:
		o.Skipped++
	default:
		o.Unfinished++
	}
}

func (o *Outcomes) rates() {
	ended := o.Passed + o.Restarted + o.Failed
	o.SuccessRate, o.FirstTryRate = rate(o.Passed+o.Restarted, ended), rate(o.Passed, ended)
}

// Outcomes answers how pipelines ended. A filter with results counts these
// alone; one without counts all.
func (a *Analytics) Outcomes(ctx context.Context, f Filter) (*OutcomesAnswer, error) {
	line, slices, b, err := a.timeline(&f)
	if err != nil {
		return nil, err
	}
	answer := &OutcomesAnswer{Timeline: line, Buckets: make([]OutcomesBucket, len(slices))}
	for i := range slices {
		answer.Buckets[i].Slice = slices[i]
	}
	bucket := b.finder()
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		if !s.Versus.IsZero() {
			answer.Versus = &Outcomes{}
		}
		return s.eachWindow(func(w Window) error {
			return s.endings(ctx, read, w, func(at int64, outcome string) {
				if s.Window.has(at) {
					answer.Buckets[bucket(at)].add(outcome)
					answer.Summary.add(outcome)
				}
				if s.Versus.has(at) {
					answer.Versus.add(outcome)
				}
			})
		})
	})
	answer.Summary.rates()
	for i := range answer.Buckets {
		answer.Buckets[i].rates()
	}
	if answer.Versus != nil {
		answer.Versus.rates()
	}
	return answer, err
}

// endings hands take the outcomes of pipelines and when those were created.
func (s *scope) endings(ctx context.Context, read *store.Reading, w Window, take func(at int64, outcome string)) error {
	return s.eachPipelines(ctx, read, w, "", 0, func(c chosen) {
		outcome := c.outcomes()
		for _, i := range c.rows {
			take(c.Created[i], outcome(i))
		}
	})
}

// Table has a row for each bucket.
func (answer *OutcomesAnswer) Table() Table {
	t := Table{Columns: []string{"start", "end", "is_running", "count", "passed", "restarted", "failed", "canceled", "skipped", "unfinished", "success_rate", "first_try_rate"}}
	for _, b := range answer.Buckets {
		t.Rows = append(t.Rows, []any{
			b.Start, b.End, b.IsRunning, b.Count, b.Passed, b.Restarted, b.Failed, b.Canceled, b.Skipped, b.Unfinished, b.SuccessRate, b.FirstTryRate,
		})
	}
	return t
}
