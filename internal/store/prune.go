package store

import (
	"context"
	"fmt"
	"time"
)

// Retention is how long things are kept. What is 0 is kept for ever.
type Retention struct {
	DeliveryBodies time.Duration // since the delivery came
	Deliveries     time.Duration // without their bodies, so that a repeated one is known
	Answers        time.Duration // to requests with an Idempotency-Key
}

// Pruned is how much was removed.
type Pruned struct {
	DeliveryBodies, Deliveries, Answers int64
}

const (
	pruneBatch = 500                   // rows, so that nobody waits long for the writer
	prunePause = 20 * time.Millisecond // between batches: reports go first
)

// Prune removes what is older than the retention, in small batches. A delivery
// that waits stays. Several replicas may prune at once.
func (s *Store) Prune(ctx context.Context, keep Retention) (done Pruned, err error) {
	now := s.config.Now()
	for _, class := range []struct {
		keep  time.Duration
		count *int64
		query string
	}{
		{keep.DeliveryBodies, &done.DeliveryBodies, `UPDATE deliveries SET body = NULL WHERE id IN
			(SELECT id FROM deliveries WHERE received_ms < $1 AND body IS NOT NULL AND state <> 'waiting' ORDER BY received_ms LIMIT $2)`},
		{keep.Deliveries, &done.Deliveries, `DELETE FROM deliveries WHERE id IN
			(SELECT id FROM deliveries WHERE received_ms < $1 AND body IS NULL ORDER BY received_ms LIMIT $2)`},
		{keep.Answers, &done.Answers, `DELETE FROM idempotency_keys WHERE key IN
			(SELECT key FROM idempotency_keys WHERE created_ms < $1 ORDER BY created_ms LIMIT $2)`},
	} {
		if class.keep <= 0 {
			continue
		}
		*class.count, err = s.prune(ctx, class.query, now.Add(-class.keep).UnixMilli())
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (s *Store) prune(ctx context.Context, query string, before int64) (all int64, err error) {
	for {
		n, err := s.pruneSome(ctx, query, before)
		all += n
		if err != nil || n < pruneBatch {
			return all, err
		}
		select {
		case <-time.After(prunePause):
		case <-ctx.Done():
			return all, ctx.Err()
		}
	}
}

func (s *Store) pruneSome(ctx context.Context, query string, before int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	done, err := s.db.writer.ExecContext(ctx, query, before, pruneBatch)
	if err != nil {
		return 0, fmt.Errorf("prune: %w: %w", ErrAway, err)
	}
	n, err := done.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("prune: %w", err)
	}
	return n, nil
}
