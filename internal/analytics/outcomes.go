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

func (o *Outcomes) add(outcome string, n int64) {
	*map[string]*int64{
		Passed: &o.Passed, Restarted: &o.Restarted, Failed: &o.Failed, Canceled: &o.Canceled, Skipped: &o.Skipped, Unfinished: &o.Unfinished,
	}[outcome] += n
	o.Count += n
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
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		err := s.endings(ctx, read, s.Window, b.sql("p.created_ms"), func(k int64, outcome string, n int64) {
			answer.Buckets[k].add(outcome, n)
			answer.Summary.add(outcome, n)
		})
		if err != nil || s.Versus.IsZero() {
			return err
		}
		answer.Versus = &Outcomes{}
		return s.endings(ctx, read, s.Versus, "0", func(_ int64, outcome string, n int64) { answer.Versus.add(outcome, n) })
	})
	return answer, err
}

// endings counts outcomes by a key in SQL.
func (s *scope) endings(ctx context.Context, read *store.Reading, w Window, key string, take func(k int64, outcome string, n int64)) error {
	var args arguments
	where := s.pipelines(&args, w)
	if len(s.Results) > 0 {
		where += " AND " + s.result(&args, "p", ResultAll)
	}
	text := "SELECT g.k, g.outcome, COUNT(*) FROM (SELECT " + key + " AS k, " + outcomeSQL + " AS outcome FROM pipelines p WHERE " + where + ") g GROUP BY g.k, g.outcome"
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var k, n int64
		var outcome string
		if err := scan(&k, &outcome, &n); err != nil {
			return err
		}
		take(k, outcome, n)
		return nil
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
