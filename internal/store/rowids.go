package store

import (
	"context"
	"fmt"
	"sync/atomic"
)

// rowIDs are the row_id of rows, given by the program: an identity would be a
// bottleneck of a database that is spread over many machines. Every process
// takes ranges of them from the database, so that two replicas, or two lives of
// one, never give the same.
type rowIDs struct {
	last atomic.Int64 // the last that was given; 0: there is no range yet
	end  int64        // of the range; only the committer uses it
}

// idsInRange is more than a process uses in its life, and few enough for two
// million lives before the ids pass 2^53, where readers of JSON lose digits.
const idsInRange = 1 << 32

func (r *rowIDs) any() bool { return r.last.Load() > 0 }

// take returns the last of n ids that follow each other.
func (r *rowIDs) take(n int) int64 { return r.last.Add(int64(n)) }

// rentRowIDs sees to it that there are row ids for any batch: a new range is
// taken when half of one is spent.
func (s *Store) rentRowIDs(ctx context.Context) error {
	if s.rowIDs.any() && s.rowIDs.last.Load() < s.rowIDs.end-idsInRange/2 {
		return nil
	}
	const text = "UPDATE row_id_ranges SET next_id = next_id + $1 RETURNING next_id"
	var end int64
	if err := s.db.writer.QueryRowContext(ctx, text, int64(idsInRange)).Scan(&end); err != nil {
		return fmt.Errorf("take a range of row ids: %w", err)
	}
	s.rowIDs.end = end
	s.rowIDs.last.Store(end - idsInRange)
	return nil
}
