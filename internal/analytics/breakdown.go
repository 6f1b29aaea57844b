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

func (p *Parts) add(count int64, sums partSums) {
	p.Count += count
	for i := range sums {
		p.sums[i] += sums[i]
	}
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
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		err := s.parts(ctx, read, s.Window, b.sql("p.created_ms"), func(k int, count int64, sums partSums) {
			answer.Buckets[k].add(count, sums)
			answer.Summary.add(count, sums)
		})
		if err != nil || s.Versus.IsZero() {
			return err
		}
		answer.Versus = &Parts{}
		return s.parts(ctx, read, s.Versus, "0", func(_ int, count int64, sums partSums) { answer.Versus.add(count, sums) })
	})
	return answer, err
}

// parts sums up the parts of wall time by a key in SQL.
func (s *scope) parts(ctx context.Context, read *store.Reading, w Window, key string, take func(k int, count int64, sums partSums)) error {
	var args arguments
	text := "SELECT g.k, COUNT(*), SUM(g.wall_ms), SUM(g.active_ms), SUM(g.execution_ms), SUM(g.retry_ms), SUM(g.queue_ms), SUM(g.blocked_ms), SUM(g.gap_ms) FROM (" +
		"SELECT " + key + " AS k, p.wall_ms, p.active_ms, p.execution_ms, p.retry_ms, p.queue_ms, p.blocked_ms, p.gap_ms FROM pipelines p WHERE " + s.pipelines(&args, w) +
		" AND " + s.result(&args, "p", ResultOK) + " AND p.wall_ms IS NOT NULL AND p.execution_ms IS NOT NULL) g GROUP BY g.k"
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var k int
		var count int64
		var m partSums
		if err := scan(&k, &count, &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &m[6]); err != nil {
			return err
		}
		take(k, count, m)
		return nil
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
