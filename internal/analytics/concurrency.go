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

// intervals are those in which attempts waited and ran, by the buckets in which
// these begin and end.
type intervals struct {
	edges   []int64 // Unix milliseconds
	bucket  func(at int64) int
	buckets []instants
}

// instants are milliseconds since a bucket began, each for itself. Half of what
// a number takes is enough: no bucket is longer than a month.
type instants struct{ queued, started, ended []uint32 }

// Concurrency answers how many runners are in use and how many were wanted, by
// the attempts of the pipelines that the filter counts.
func (a *Analytics) Concurrency(ctx context.Context, f Filter) (*ConcurrencyAnswer, error) {
	line, buckets, b, err := a.timeline(&f)
	if err != nil {
		return nil, err
	}
	answer := &ConcurrencyAnswer{Timeline: line, Buckets: make([]ConcurrencyBucket, len(buckets))}
	for i := range buckets {
		answer.Buckets[i].Slice = buckets[i]
	}
	all := intervals{bucket: b.finder(), buckets: make([]instants, len(buckets))}
	for _, e := range b.edges {
		all.edges = append(all.edges, e.UnixMilli())
	}
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
			v.room.take(2)
			t.put(start-orZero(a.Queue[k]), func(b *instants) *[]uint32 { return &b.queued })
			t.put(start, func(b *instants) *[]uint32 { return &b.started })
			t.put(max(start, end), func(b *instants) *[]uint32 { return &b.ended })
		}
	}
}

// put notes an instant. What was before the window is so from its beginning on,
// and what is after it does not matter.
func (t *intervals) put(at int64, of func(*instants) *[]uint32) {
	at = max(at, t.edges[0])
	if at >= t.edges[len(t.edges)-1] {
		return
	}
	k := t.bucket(at)
	to := of(&t.buckets[k])
	*to = append(*to, uint32(at-t.edges[k]))
}

// sweep walks over the instants in order of time.
func (t *intervals) sweep(buckets []ConcurrencyBucket) {
	var running, waiting int64
	for k := range buckets {
		b, in := &buckets[k], &t.buckets[k]
		in.sort()
		width, at := t.edges[k+1]-t.edges[k], int64(0)
		started, waits := in.pass(at)
		running, waiting = running+started, waiting+waits
		b.MaxRunning, b.MaxWaiting = running, waiting
		var ran, waited int64
		for then, found := in.next(); found; then, found = in.next() {
			ran, waited = ran+running*(then-at), waited+waiting*(then-at)
			at = then
			started, waits = in.pass(at)
			running, waiting = running+started, waiting+waits
			b.MaxRunning, b.MaxWaiting = max(b.MaxRunning, running), max(b.MaxWaiting, waiting)
		}
		ran, waited = ran+running*(width-at), waited+waiting*(width-at)
		b.MeanRunning, b.MeanWaiting = float64(ran)/float64(width), float64(waited)/float64(width)
	}
}

func (in *instants) sort() {
	for _, all := range [][]uint32{in.queued, in.started, in.ended} {
		slices.Sort(all)
	}
}

// next is the next instant at which something changes.
func (in *instants) next() (at int64, found bool) {
	for _, all := range [][]uint32{in.queued, in.started, in.ended} {
		if len(all) > 0 && (!found || int64(all[0]) < at) {
			at, found = int64(all[0]), true
		}
	}
	return at, found
}

// pass goes to what is after an instant, and tells by how many more run and wait.
// At one instant what ends comes before what begins.
func (in *instants) pass(at int64) (running, waiting int64) {
	past := func(all *[]uint32) (n int64) {
		for ; len(*all) > 0 && int64((*all)[0]) <= at; n++ {
			*all = (*all)[1:]
		}
		return n
	}
	queued, started, ended := past(&in.queued), past(&in.started), past(&in.ended)
	return started - ended, queued - started
}

// Table has a row for each bucket.
func (answer *ConcurrencyAnswer) Table() Table {
	t := Table{Columns: []string{"start", "end", "is_running", "mean_running", "max_running", "mean_waiting", "max_waiting"}}
	for _, b := range answer.Buckets {
		t.Rows = append(t.Rows, []any{b.Start, b.End, b.IsRunning, b.MeanRunning, b.MaxRunning, b.MeanWaiting, b.MaxWaiting})
	}
	return t
}
