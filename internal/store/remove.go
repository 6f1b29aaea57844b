package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"time"
)

// removeAtOnce is how many pipelines one transaction removes, so that reports
// never wait long for it.
const removeAtOnce = 100

// always is all of time, in Unix milliseconds.
const always = math.MinInt64

// removePipelines removes the pipelines of a project that were created from one
// instant on and before another, in Unix milliseconds, the oldest first, with
// all that is theirs: some in each transaction, and reports go on in between.
// It can be called again where it broke off.
func (s *Store) removePipelines(ctx context.Context, project, from, before int64) (all int64, err error) {
	const oldest = "SELECT id FROM pipelines WHERE project_id = $1 AND created_ms >= $2 AND created_ms < $3 ORDER BY created_ms, id LIMIT $4"
	for {
		args := []any{project, from, before}
		err := s.read(ctx, oldest, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			args = append(args, id)
			return err
		}, project, from, before, removeAtOnce)
		if err != nil || len(args) == 3 {
			return all, err
		}
		n, err := s.tryRemove(ctx, args)
		if all += n; err != nil || n == 0 {
			return all, err
		}
		select {
		case <-time.After(prunePause):
		case <-ctx.Done():
			return all, ctx.Err()
		}
	}
}

// tryRemove removes some pipelines; when another writer was in the way, once
// more.
func (s *Store) tryRemove(ctx context.Context, args []any) (n int64, err error) {
	for try := 1; ; try++ {
		n, err = s.removeSome(ctx, args)
		if err == nil || try == maxTries || ctx.Err() != nil || classify(err) != conflictError {
			return n, err
		}
	}
}

// removeSome removes pipelines in one transaction: the project, the two
// instants, and their numbers. The pipelines go first, so that a report of one
// of them waits, and makes it anew.
func (s *Store) removeSome(ctx context.Context, args []any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, stmtTimeout)
	defer cancel()
	tx, err := s.db.writer.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("%w: begin: %w", ErrAway, err)
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	if err := s.lockDays(ctx, tx, false); err != nil {
		return 0, err
	}
	keys, days, err := removeRows(ctx, tx, args)
	if err == nil {
		err = s.exec(ctx, tx, staleDays, days)
	}
	for _, st := range []statement{removeSteps, removePhases, removeJobs} {
		if err == nil {
			err = s.exec(ctx, tx, st, keys)
		}
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return 0, fmt.Errorf("remove pipelines: %w", err)
	}
	return int64(len(keys)), nil
}

// removeRows removes the rows of pipelines themselves, and returns the keys of
// those that it removed, and of their days.
func removeRows(ctx context.Context, tx *sql.Tx, args []any) (keys, days [][]any, err error) {
	places := make([]string, len(args)-3)
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+4)
	}
	rows, err := tx.QueryContext(ctx, "DELETE FROM pipelines WHERE project_id = $1 AND created_ms >= $2 AND created_ms < $3 AND id IN ("+strings.Join(places, ", ")+") RETURNING project_id, id, created_ms", args...) //nolint:gosec // places of parameters alone
	if err != nil {
		return nil, nil, err
	}
	touched := map[dayKey]bool{}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	for rows.Next() {
		var k key
		var created int64
		if err := rows.Scan(&k.project, &k.id, &created); err != nil {
			return nil, nil, err
		}
		keys = append(keys, []any{k.project, k.id})
		if d := (dayKey{k.project, created / dayMS}); !touched[d] {
			touched[d] = true
			days = append(days, []any{d.project, d.day})
		}
	}
	return keys, days, rows.Err()
}
