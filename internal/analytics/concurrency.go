package analytics

import (
	"context"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A ConcurrencyAnswer is how many attempts ran and waited at the same time.
type ConcurrencyAnswer struct {
	Timeline

	Buckets []ConcurrencyBucket `json:"buckets"`
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

// intervals are those in which attempts waited and ran.
type intervals struct{ queued, started, ended []int64 } // Unix milliseconds, each for itself

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
	all := intervals{}
	now := a.now().UnixMilli()
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		return s.days(ctx, read, func(v *sieve) error {
			all.add(v, now)
			return nil
		}, s.Window)
	})
	all.sweep(answer.Buckets)
	return answer, err
}

// add takes the attempts of a day. What runs has not ended before now.
func (t *intervals) add(v *sieve, now int64) {
	a := &v.Attempts
	running := judged(&a.State, func(state string) bool { return state == string(ci.Running) })
	anyEnd := len(v.Results) == 0
	for i := range v.of {
		if !v.of[i] || !v.in(v.Window, i) {
			continue
		}
		from, to := v.attemptsOf(i)
		for k := from; k < to; k++ {
			start, end := a.Started[k], a.Finished[k]
			if end == none && running[a.State.Codes[k]] {
				end = now
			}
			if start == none || end == none || a.Name.Codes[k] == 0 || !v.attempts[k] || !anyEnd && !v.isAttemptOK(k) {
				continue
			}
			v.room.take(3)
			t.queued, t.started, t.ended = append(t.queued, start-orZero(a.Queue[k])), append(t.started, start), append(t.ended, max(start, end))
		}
	}
}

// sweep walks over the instants in order of time. At one instant what ends comes
// before what begins.
func (t *intervals) sweep(buckets []ConcurrencyBucket) {
	for _, instants := range [][]int64{t.queued, t.started, t.ended} {
		slices.Sort(instants)
	}
	var running, waiting int64
	// next is the next instant before another at which something changes.
	next := func(before int64) (at int64, found bool) {
		at = before
		for _, instants := range [][]int64{t.queued, t.started, t.ended} {
			if len(instants) > 0 && instants[0] < at {
				at, found = instants[0], true
			}
		}
		return at, found
	}
	past := func(instants *[]int64, at int64) (n int64) {
		for ; len(*instants) > 0 && (*instants)[0] <= at; n++ {
			*instants = (*instants)[1:]
		}
		return n
	}
	step := func(at int64) { // to what is after an instant
		queued, started, ended := past(&t.queued, at), past(&t.started, at), past(&t.ended, at)
		running, waiting = running+started-ended, waiting+queued-started
	}
	for k := range buckets {
		b := &buckets[k]
		at, end := b.Start.UnixMilli(), b.End.UnixMilli()
		step(at)
		b.MaxRunning, b.MaxWaiting = running, waiting
		var ran, waited int64
		for then, found := next(end); found; then, found = next(end) {
			ran, waited = ran+running*(then-at), waited+waiting*(then-at)
			at = then
			step(at)
			b.MaxRunning, b.MaxWaiting = max(b.MaxRunning, running), max(b.MaxWaiting, waiting)
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
