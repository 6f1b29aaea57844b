package store

import (
	"context"
	"fmt"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Group commit. Every durable commit costs a sync to disk, so reports that
// arrive while one transaction is committing are gathered and committed
// together by the next. There is no timer: a lone report is committed at once,
// and the busier the server is, the larger the batches grow.

const (
	maxBatch      = 256
	maxEntries    = 20_000 // attempts and steps in a batch, if it has more than one report
	maxQueue      = 4096
	maxTries      = 3 // of a batch that another writer was in the way of
	probeInterval = 500 * time.Millisecond
)

// Outcome says what Save did with a report.
type Outcome int

// The outcomes of [Store.Save].
const (
	Created   Outcome = iota + 1 // the pipeline was not known
	Merged                       // the report added something
	Unchanged                    // all of it was known; for a legacy report: there is one already
)

// String names the outcome as in the API and the metrics.
func (o Outcome) String() string {
	switch o {
	case Created:
		return "created"
	case Merged:
		return "merged"
	case Unchanged:
		return "unchanged"
	}
	return "none"
}

type request struct {
	report   ci.Report
	prepared *written // its rows if the pipeline is new; nil: not made yet
	project  project  // of prepared
	finishes int64    // the delivery that is done when the report is saved; 0: none
	delivery []any    // the row of a delivery, in the place of a report
	reply    chan reply
}

type reply struct {
	outcome Outcome
	err     error
}

// Save validates the report and returns once it is durable. Concurrent calls
// share transactions. The error is an *ci.InvalidError, ErrClash, ErrBusy,
// ErrAway, ErrClosed, or of ctx.
func (s *Store) Save(ctx context.Context, r ci.Report) (Outcome, error) {
	outcome, err := s.save(ctx, r, 0)
	s.stats.report(outcome, err)
	return outcome, err
}

func (s *Store) save(ctx context.Context, r ci.Report, delivery int64) (Outcome, error) {
	r.Normalize()
	if err := r.Validate(); err != nil {
		return 0, err
	}
	if s.away.Load() {
		return 0, ErrAway
	}
	q := &request{report: r, finishes: delivery, reply: make(chan reply, 1)}
	if p, known := s.projects.get(r.Project, s.config.Now()); known && s.rowIDs.any() {
		s.prepareRows(q, p)
	}
	if err := s.enqueue(ctx, q); err != nil {
		return 0, err
	}
	// From here the report is in a batch. We wait for its fate even if ctx
	// ends: to answer "failed" for what was stored would invite a retry.
	a := <-q.reply
	if q.prepared != nil {
		s.recycle(q.prepared.fields)
	}
	return a.outcome, a.err
}

// prepareRows does in the caller's goroutine what the committer would have to
// do for a pipeline that is new.
func (s *Store) prepareRows(q *request, p project) {
	rec := &ci.Record{}
	rec.Merge(&q.report)
	branch := branchInForce(&q.report, p)
	rec.Derive(p.by.Definitions, branch)
	w := s.rowsOf(key{p.id, q.report.Pipeline.ID}, rec, branch, p.by.hash)
	q.prepared, q.project = &w, p
}

// branchInForce is the default branch that counts for a pipeline that is new:
// the project's, or what counted where it was exported.
func branchInForce(r *ci.Report, p project) string {
	if r.Told != nil {
		return r.Told.Branch
	}
	return p.defaultBranch
}

func (s *Store) enqueue(ctx context.Context, q *request) error {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.queue <- q:
		return nil
	default:
		return ErrBusy
	}
}

// commitLoop is the only writer of reports. It ends when the queue is closed
// and empty.
func (s *Store) commitLoop() {
	for first := range s.queue {
		batch := s.gather(first)
		if s.away.Load() {
			refuse(batch, ErrAway)
			continue
		}
		s.commitBatch(batch)
	}
}

// entries is how many attempts and steps the report tells of.
func (q *request) entries() int {
	n := len(q.report.Jobs)
	for i := range q.report.Jobs {
		n += len(q.report.Jobs[i].Steps)
	}
	if q.report.Legacy != nil {
		n += len(q.report.Legacy.Entries)
	}
	return n
}

// gather returns first and whatever else is waiting, without waiting for more.
func (s *Store) gather(first *request) []*request {
	batch, entries := []*request{first}, first.entries()
	for len(batch) < maxBatch && entries < maxEntries {
		select {
		case q, open := <-s.queue:
			if !open {
				return batch
			}
			batch, entries = append(batch, q), entries+q.entries()
		default:
			return batch
		}
	}
	return batch
}

func (s *Store) commitBatch(batch []*request) {
	replies, err := s.tryBatch(batch)
	if err == nil {
		s.tellWell()
		for i, q := range batch {
			q.reply <- replies[i]
		}
		return
	}
	if classify(err) == dataError {
		if len(batch) == 1 {
			refuse(batch, fmt.Errorf("the database refuses the report: %w", err))
			return
		}
		// One report that does not fit must not fail its neighbours.
		s.config.Log.Warn("batch failed, saving its reports one by one", "reports", len(batch), "error", err)
		for _, q := range batch {
			s.commitBatch([]*request{q})
		}
		return
	}
	s.away.Store(true)
	s.tellFailure(err)
	refuse(batch, ErrAway)
}

// tellFailure logs why reports can't be saved, once until they can be again or
// the reason is another: a disk stays full for long, and the log may be on it.
func (s *Store) tellFailure(err error) {
	if text := err.Error(); text != s.failure {
		s.failure = text
		s.config.Log.Error("the database is away", "error", err)
	}
}

func (s *Store) tellWell() {
	if s.failure != "" {
		s.failure = ""
		s.config.Log.Info("reports are saved again")
	}
}

// tryBatch saves the batch; when another writer was in the way, again.
func (s *Store) tryBatch(batch []*request) (replies []reply, err error) {
	// Not a request's context: the batch belongs to many of them.
	limit := commitTimeout
	for _, q := range batch {
		limit += time.Duration(q.entries()) * entryTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for try := 1; ; try++ {
		start := time.Now()
		replies, err = s.saveBatch(ctx, batch)
		s.stats.batch(len(batch), time.Since(start), err)
		if err == nil || try == maxTries || ctx.Err() != nil || classify(err) != conflictError {
			return replies, err
		}
	}
}

func refuse(batch []*request, err error) {
	for _, q := range batch {
		q.reply <- reply{err: err}
	}
}

// probeLoop asks a database that went away whether it is back.
func (s *Store) probeLoop() {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		if s.away.Load() && s.Ping(context.Background()) == nil {
			s.away.Store(false) // the next batch will show whether it can be written
		}
	}
}
