package collect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// An Item is something of the past to read: a pipeline, or reports that a list
// told already.
type Item struct {
	// List names the list that has the item; empty: none that is remembered.
	List string
	// Changed is when the item last changed. A list has its items in that order.
	Changed time.Time
	// Ends says that the list is read to its end, with nothing else.
	Ends    bool
	Project string
	ID      int64 // of the pipeline, for people; 0: several
	// Read asks for the item's reports.
	Read func(context.Context) ([]ci.Report, error)
}

// A Backfill reads the past. Its lists are remembered as far as all of them is
// saved, so that one that was interrupted goes on from there.
type Backfill struct {
	Items iter.Seq2[Item, error]
	// Save returns once the reports are durable.
	Save func(context.Context, []ci.Report) error
	// Mark keeps that all of a list that changed until then is saved, or that
	// the list is read to its end.
	Mark func(ctx context.Context, list string, through time.Time, end bool) error
	// Missing tells whether an error is about the one item alone: the others
	// are read, and it is counted. Others end the backfill.
	Missing func(error) bool
	// Progress is told of each item that is done, one at a time.
	Progress    func(it Item, err error)
	Concurrency int           // items read at once
	MarkEvery   time.Duration // 0: 10 s
	Now         func() time.Time
}

// A Tally is what a backfill did.
type Tally struct {
	Pipelines int   // read and saved
	Missed    int   // that could not be read
	First     error // why the first of these could not
}

// Run reads and saves all items, in any order. It returns what it did, also
// where it was stopped.
func (b *Backfill) Run(ctx context.Context) (Tally, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &run{Backfill: b, stop: stop, lists: map[string]*list{}}
	if r.MarkEvery == 0 {
		r.MarkEvery = 10 * time.Second
	}
	work := make(chan *entry)
	var workers sync.WaitGroup
	for range max(1, b.Concurrency) {
		workers.Go(func() {
			for e := range work {
				r.work(ctx, e)
			}
		})
	}
	r.feed(ctx, work)
	close(work)
	workers.Wait()
	// What is saved is marked, also when it is time to stop.
	err := context.Cause(ctx)
	if merr := r.mark(context.WithoutCancel(ctx), true); err == nil {
		err = merr
	}
	return r.tally, err
}

// A run is a backfill that runs.
type run struct {
	*Backfill

	stop   context.CancelCauseFunc
	mu     sync.Mutex
	tally  Tally
	lists  map[string]*list
	marked time.Time
}

// A list knows which of its items are under way.
type list struct {
	waiting []*entry // in the list's order; the first one is not done
	through time.Time
	ended   bool
	dirty   bool
}

type entry struct {
	Item
	done bool
}

func (r *run) feed(ctx context.Context, work chan<- *entry) {
	for it, err := range r.Items {
		if err != nil {
			if r.Missing(err) && ctx.Err() == nil {
				r.count(it, err)
				continue
			}
			r.stop(err)
			return
		}
		e := &entry{Item: it}
		r.begin(e)
		if it.Ends {
			continue
		}
		select {
		case work <- e:
		case <-ctx.Done():
			return
		}
	}
}

func (r *run) begin(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.List == "" {
		return
	}
	l := r.lists[e.List]
	if l == nil {
		l = &list{}
		r.lists[e.List] = l
	}
	if e.Ends {
		l.ended, l.dirty = true, true
		return
	}
	l.waiting = append(l.waiting, e)
}

func (r *run) work(ctx context.Context, e *entry) {
	if ctx.Err() != nil {
		return
	}
	reports, err := e.Read(ctx)
	if err == nil {
		err = r.Save(ctx, reports)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return
	case !r.Missing(err):
		r.stop(err)
		return
	}
	r.count(e.Item, err)
	r.end(e)
	if err := r.mark(ctx, false); err != nil && ctx.Err() == nil {
		r.stop(err)
	}
}

func (r *run) count(it Item, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		if r.tally.Missed++; r.tally.First == nil {
			r.tally.First = err
		}
	case it.ID != 0:
		r.tally.Pipelines++
	}
	if r.Progress != nil {
		r.Progress(it, err)
	}
}

// end notes how far all of the list is done.
func (r *run) end(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.done, e.Read = true, nil
	l := r.lists[e.List]
	if l == nil {
		return
	}
	for len(l.waiting) > 0 && l.waiting[0].done {
		if at := l.waiting[0].Changed; at.After(l.through) {
			l.through, l.dirty = at, true
		}
		l.waiting = l.waiting[1:]
	}
}

// mark keeps how far the lists are, now and then, and at the end.
func (r *run) mark(ctx context.Context, last bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	if !last && now.Sub(r.marked) < r.MarkEvery {
		return nil
	}
	r.marked = now
	var errs error
	for name, l := range r.lists {
		end := l.ended && len(l.waiting) == 0
		if !l.dirty && !end {
			continue
		}
		if err := r.Mark(ctx, name, l.through, end); err != nil {
			errs = errors.Join(errs, fmt.Errorf("keep how far %s is: %w", name, err))
		}
		if l.dirty = false; end {
			delete(r.lists, name)
		}
	}
	return errs
}
