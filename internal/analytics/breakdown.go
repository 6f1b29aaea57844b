package analytics

import (
	"context"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A BreakdownAnswer is where the wall time of pipelines went: over the window,
// the time to compare with, and each bucket.
type BreakdownAnswer struct {
	Timeline

	Summary Parts             `json:"summary"`
	Versus  *Parts            `json:"versus"` // null: nothing to compare with
	Buckets []BreakdownBucket `json:"buckets"`
}

// A BreakdownBucket is one slice of the window.
type BreakdownBucket struct {
	Slice
	Parts
}

// Parts are the means of the parts of wall time over so many pipelines, null
// where there are none. The last five add up to WallS.
type Parts struct {
	Count      int64    `json:"count"`
	WallS      *float64 `json:"wall_s"`
	ActiveS    *float64 `json:"active_s"`
	ExecutionS *float64 `json:"execution_s"`
	RetryS     *float64 `json:"retry_s"`
	QueueS     *float64 `json:"queue_s"`
	BlockedS   *float64 `json:"blocked_s"`
	GapS       *float64 `json:"gap_s"`

	sums partSums
}

// partSums are milliseconds: wall, active, execution, retry, queue, blocked
// and gap. As whole numbers they add up exactly.
type partSums [7]int64

// add adds a pipeline; means is to be called when all are added.
func (p *Parts) add(sums *partSums) {
	p.Count++
	for i := range sums {
		p.sums[i] += sums[i]
	}
}

func (p *Parts) means() {
	for i, to := range []**float64{&p.WallS, &p.ActiveS, &p.ExecutionS, &p.RetryS, &p.QueueS, &p.BlockedS, &p.GapS} {
		*to = meanOf(p.sums[i], p.Count)
	}
}

// Breakdown answers where the wall time went. Pipelines of which only the
// whole is known are not in it.
func (a *Analytics) Breakdown(ctx context.Context, f Filter) (*BreakdownAnswer, error) {
	line, slices, b, err := a.timeline(&f)
	if err != nil {
		return nil, err
	}
	answer := &BreakdownAnswer{Timeline: line, Buckets: make([]BreakdownBucket, len(slices))}
	for i := range slices {
		answer.Buckets[i].Slice = slices[i]
	}
	bucket := b.finder()
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		if !s.Versus.IsZero() {
			answer.Versus = &Parts{}
		}
		return s.eachWindow(func(w Window) error {
			return s.parts(ctx, read, w, func(at int64, sums *partSums) {
				if s.Window.has(at) {
					answer.Buckets[bucket(at)].add(sums)
					answer.Summary.add(sums)
				}
				if s.Versus.has(at) {
					answer.Versus.add(sums)
				}
			})
		})
	})
	answer.Summary.means()
	for i := range answer.Buckets {
		answer.Buckets[i].means()
	}
	if answer.Versus != nil {
		answer.Versus.means()
	}
	return answer, err
}

// parts hands take the parts of wall time of pipelines and when those were
// created.
func (s *scope) parts(ctx context.Context, read *store.Reading, w Window, take func(at int64, sums *partSums)) error {
	columns := [len(partSums{})]store.Columns{store.WallMS, store.ActiveMS, store.ExecutionMS, store.RetryMS, store.QueueMS, store.BlockedMS, store.GapMS}
	want := store.Columns(0)
	for _, column := range columns {
		want |= column
	}
	return s.eachPipelines(ctx, read, w, ResultOK, want, func(c chosen) {
		var ms [len(columns)][]int64
		for i, column := range columns {
			ms[i] = c.Numbers(column)
		}
		for _, row := range c.rows {
			if ms[0][row] == store.None || ms[2][row] == store.None {
				continue
			}
			var sums partSums
			for i := range ms {
				if ms[i][row] != store.None {
					sums[i] = ms[i][row]
				}
			}
			take(c.Created[row], &sums)
		}
	})
}

// Table has a row for each bucket.
func (answer *BreakdownAnswer) Table() Table {
	t := Table{Columns: []string{"start", "end", "is_running", "count", "wall_s", "active_s", "execution_s", "retry_s", "queue_s", "blocked_s", "gap_s"}}
	for _, b := range answer.Buckets {
		t.Rows = append(t.Rows, []any{b.Start, b.End, b.IsRunning, b.Count, b.WallS, b.ActiveS, b.ExecutionS, b.RetryS, b.QueueS, b.BlockedS, b.GapS})
	}
	return t
}
