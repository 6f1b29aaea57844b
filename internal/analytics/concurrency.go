package analytics

import (
	"cmp"
	"context"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A ConcurrencyAnswer is how many attempts ran and waited at the same time.
type ConcurrencyAnswer struct {
	Timeline

	Buckets     []ConcurrencyBucket `json:"buckets"`
	IsTruncated bool                `json:"is_truncated"` // there were more than 200,000 attempts: the numbers are of the newest
}

// A ConcurrencyBucket is one slice of the window: the numbers of attempts at
// once, in the mean and at the most.
type ConcurrencyBucket struct {
	Slice

	MeanRunning float64 `json:"mean_running"`
	MaxRunning  int64   `json:"max_running"`
	MeanWaiting float64 `json:"mean_waiting"`
	MaxWaiting  int64   `json:"max_waiting"`
}

const maxIntervals = 200_000

// A tick is an instant at which attempts begin or end to run or to wait.
type tick struct{ at, running, waiting int64 }

// Concurrency answers how many runners are in use and how many were wanted, by
// the attempts of the pipelines that the filter counts.
func (a *Analytics) Concurrency(ctx context.Context, f Filter) (*ConcurrencyAnswer, error) {
	line, buckets, _, err := a.timeline(&f)
	if err != nil {
		return nil, err
	}
	answer := &ConcurrencyAnswer{Timeline: line, Buckets: make([]ConcurrencyBucket, len(buckets))}
	for i := range buckets {
		answer.Buckets[i].Slice = buckets[i]
	}
	now := a.now().UnixMilli()
	var ticks []tick
	n := 0
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		var args arguments
		text := "SELECT j.started_ms, j.finished_ms, j.state, COALESCE(j.queue_ms, 0)" + s.attemptsFrom(&args, s.Window) + s.attemptResult(&args, "") +
			" AND j.started_ms IS NOT NULL AND (j.finished_ms IS NOT NULL OR j.state = 'running') ORDER BY p.created_ms DESC LIMIT " + args.add(maxIntervals+1)
		return read.Rows(ctx, text, args, func(scan store.Scan) error {
			var start, queue int64
			var end *int64
			var state *string
			if err := scan(&start, &end, &state, &queue); err != nil {
				return err
			}
			if n++; n > maxIntervals {
				answer.IsTruncated = true
				return nil
			}
			if end == nil {
				end = &now
			}
			ticks = append(ticks, tick{start - queue, 0, 1}, tick{start, 1, -1}, tick{max(start, *end), -1, 0})
			return nil
		})
	})
	answer.sweep(ticks)
	return answer, err
}

// sweep walks over the ticks in order of time. At one instant what ends comes
// before what begins.
func (answer *ConcurrencyAnswer) sweep(ticks []tick) {
	slices.SortFunc(ticks, func(x, y tick) int {
		return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.running+x.waiting, y.running+y.waiting))
	})
	var running, waiting int64
	i := 0
	for k := range answer.Buckets {
		b := &answer.Buckets[k]
		at, end := b.Start.UnixMilli(), b.End.UnixMilli()
		for ; i < len(ticks) && ticks[i].at <= at; i++ {
			running, waiting = running+ticks[i].running, waiting+ticks[i].waiting
		}
		b.MaxRunning, b.MaxWaiting = running, waiting
		var ran, waited int64
		for ; i < len(ticks) && ticks[i].at < end; i++ {
			ran, waited = ran+running*(ticks[i].at-at), waited+waiting*(ticks[i].at-at)
			at = ticks[i].at
			running, waiting = running+ticks[i].running, waiting+ticks[i].waiting
			if i+1 == len(ticks) || ticks[i+1].at > at { // all of one instant have been counted
				b.MaxRunning, b.MaxWaiting = max(b.MaxRunning, running), max(b.MaxWaiting, waiting)
			}
		}
		ran, waited = ran+running*(end-at), waited+waiting*(end-at)
		width := float64(end - b.Start.UnixMilli())
		b.MeanRunning, b.MeanWaiting = float64(ran)/width, float64(waited)/width
	}
}

// Table has a row for each bucket.
func (answer *ConcurrencyAnswer) Table() Table {
	t := Table{Columns: []string{"start", "end", "is_running", "mean_running", "max_running", "mean_waiting", "max_waiting"}}
	for _, b := range answer.Buckets {
		t.Rows = append(t.Rows, []any{b.Start, b.End, b.IsRunning, b.MeanRunning, b.MaxRunning, b.MeanWaiting, b.MaxWaiting})
	}
	return t
}
