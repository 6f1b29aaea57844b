package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrSlow is returned where a question took longer than a reader may.
var ErrSlow = errors.New("the question takes too long")

// A Reading is one state of the database, in which all queries of an answer
// are asked.
type Reading struct {
	tx     *sql.Tx
	engine engine
	days   packer
	asked  func(text string, args []any)
}

// A Scan copies the columns of a row to where the pointers show.
type Scan = func(at ...any) error

// Read lets ask put queries to one state of the database, for at most
// Config.ReadLimit; then it fails with ErrSlow. The context that ask gets ends then.
func (s *Store) Read(ctx context.Context, ask func(ctx context.Context, read *Reading) error) error {
	return s.readWithin(ctx, s.config.ReadLimit, ask)
}

func (s *Store) readWithin(ctx context.Context, limit time.Duration, ask func(ctx context.Context, read *Reading) error) error {
	limited, cancel := context.WithTimeoutCause(ctx, limit, ErrSlow)
	defer cancel()
	tx, err := s.db.reader.BeginTx(limited, &sql.TxOptions{Isolation: s.engine.snapshot(), ReadOnly: true})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	err = ask(limited, &Reading{tx, s.engine, s.packedDays, s.config.Asked})
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(limited), ErrSlow) {
		return fmt.Errorf("%w: %w", ErrSlow, err)
	}
	return err
}

// Rows runs a query and hands each row to scan. The text may use $1, $2, ...
// on either engine.
func (r *Reading) Rows(ctx context.Context, text string, args []any, scan func(Scan) error) error {
	r.asked(text, args)
	rows, err := r.tx.QueryContext(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}
