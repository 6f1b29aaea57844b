package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A Backfill says how far the reading of the past is.
type Backfill struct {
	Name     string    // what is read; its key
	Since    time.Time // read is what changed then or later; zero: all
	Through  time.Time // all that changed until then is saved; zero: nothing is
	Started  time.Time
	Finished time.Time // zero: it runs, or was interrupted
}

// Backfill returns how far the backfill of that name is.
func (s *Store) Backfill(ctx context.Context, name string) (b Backfill, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := s.Query(ctx, "SELECT NULLIF(since_ms, 0), NULLIF(through_ms, 0), started_ms, finished_ms FROM backfills WHERE name = $1", name)
	if err != nil {
		return Backfill{}, false, fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	for rows.Next() {
		var since, through, started, finished sql.NullInt64
		if err := rows.Scan(&since, &through, &started, &finished); err != nil {
			return Backfill{}, false, fmt.Errorf("read how far the backfill is: %w", err)
		}
		b, found = Backfill{name, instantOf(since), instantOf(through), instantOf(started), instantOf(finished)}, true
	}
	return b, found, rows.Err()
}

const writeBackfill = `INSERT INTO backfills (name, since_ms, through_ms, started_ms, finished_ms) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (name) DO UPDATE SET since_ms = excluded.since_ms, through_ms = excluded.through_ms, started_ms = excluded.started_ms, finished_ms = excluded.finished_ms`

// SetBackfill keeps how far a backfill is.
func (s *Store) SetBackfill(ctx context.Context, b Backfill) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	_, err := s.db.writer.ExecContext(ctx, writeBackfill, b.Name, millisOf(b.Since), millisOf(b.Through), millisOf(b.Started), nullTime(b.Finished))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}
