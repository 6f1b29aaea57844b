package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Packing a day: a number is put down at it and committed while no writer of
// days is under way, so that all who write its rows from then on take the
// number away; then the day is made of the rows; then the body is put down
// where the number still stands. So nobody waits while a day is made, and a
// body never lacks what was committed before it.

const (
	packAfter   = time.Hour              // of the end of a day; more than clocks of replicas differ, see openDays
	packAtOnce  = 16                     // days of a project
	packPause   = 100 * time.Millisecond // between two such lots, for those who wait for the writer
	packEvery   = 30 * time.Second       // how often the background looks for days
	packTimeout = time.Minute
)

// KeepPacked packs days in the background until ctx is done. One replica at a
// time is to do it (see Lead): several would do no harm, but the same work.
func (s *Store) KeepPacked(ctx context.Context) {
	for {
		n, err := s.PackDays(ctx, packPause)
		if err == nil {
			err = s.PackVolumes(ctx, packPause/4)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			s.config.Log.WarnContext(ctx, "packing days waits", "error", err)
		case n > 0:
			s.config.Log.DebugContext(ctx, "packed days", "days", n)
		}
		select {
		case <-time.After(packEvery):
		case <-ctx.Done():
			return
		}
	}
}

// PackDays packs the days that are over and have not been packed since their
// rows changed, with a pause between lots, and returns how many it packed.
func (s *Store) PackDays(ctx context.Context, pause time.Duration) (all int64, err error) {
	if !s.formsKnown.Load() {
		if err := s.forgetOldForms(ctx); err != nil {
			return 0, fmt.Errorf("look for days in another form: %w", err)
		}
		s.formsKnown.Store(true)
	}
	for last := (dayKey{-1, -1}); ; {
		lot, err := s.lotToPack(ctx, last)
		if err != nil || len(lot) == 0 {
			return all, err
		}
		n, err := s.packLot(ctx, lot)
		all += n
		s.stats.packed(n)
		if err != nil {
			return all, fmt.Errorf("pack days of project %d: %w", lot[0].project, err)
		}
		last = lot[len(lot)-1]
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return all, ctx.Err()
		}
	}
}

// forgetOldForms takes away the bodies that a version before packed in a form
// that is not read any more. One look after the start is enough.
func (s *Store) forgetOldForms(ctx context.Context) error {
	var old [][]any
	err := s.readWithin(ctx, packTimeout, func(ctx context.Context, read *Reading) error {
		// All days are packed in turn, and forgotten in turn: where the last one is
		// in the form of now, all are. To look at each takes seconds of a million
		// pipelines.
		last := []byte{packedForm}
		const newest = "SELECT substr(body, 1, 1) FROM days WHERE body IS NOT NULL ORDER BY project_id DESC, day DESC LIMIT 1"
		if err := read.Rows(ctx, newest, nil, func(scan Scan) error { return scan(&last) }); err != nil || last[0] == packedForm {
			return err
		}
		const text = "SELECT project_id, day FROM days WHERE body IS NOT NULL AND substr(body, 1, 1) <> $1 ORDER BY project_id, day"
		return read.Rows(ctx, text, []any{[]byte{packedForm}}, func(scan Scan) error {
			var key dayKey
			err := scan(&key.project, &key.day)
			old = append(old, []any{key.project, key.day})
			return err
		})
	})
	if err != nil {
		return err
	}
	for lot := range slices.Chunk(old, buildProjects) {
		tx, err := s.db.writer.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if err := s.exec(ctx, tx, staleDays, lot); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	return nil
}

// lotToPack is the next days of one project. Days before 1970, of which a database
// of the original may have pipelines, are in no question.
func (s *Store) lotToPack(ctx context.Context, last dayKey) (lot []dayKey, err error) {
	over := s.config.Now().Add(-packAfter).UnixMilli() / dayMS
	err = s.read(ctx, `SELECT project_id, day FROM days`+s.engine.byIndex("days_to_pack")+` WHERE body IS NULL AND day >= 0 AND day < $1 AND (project_id > $2 OR project_id = $2 AND day > $3)
		ORDER BY project_id, day LIMIT $4`, func(rows *sql.Rows) error {
		var key dayKey
		err := rows.Scan(&key.project, &key.day)
		if len(lot) == 0 || lot[0].project == key.project && key.day < lot[0].day+packAtOnce {
			lot = append(lot, key)
		}
		return err
	}, over, last.project, last.day, packAtOnce)
	return lot, err
}

func (s *Store) packLot(ctx context.Context, lot []dayKey) (packed int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, packTimeout)
	defer cancel()
	number := rand.Int64() //nolint:gosec // it only has to be another than others'
	rows := make([][]any, len(lot))
	for i, key := range lot {
		rows[i] = []any{key.project, key.day, number, []byte(nil), []byte(nil)}
	}
	if _, err := s.writePacked(ctx, packingDays, rows, true, nil); err != nil {
		return 0, err
	}
	err = s.readWithin(ctx, packTimeout, func(ctx context.Context, read *Reading) error {
		days, err := read.build(ctx, []int64{lot[0].project}, lot[0].day, lot[len(lot)-1].day, Steps)
		made := map[int64]*Day{}
		for _, d := range days {
			made[d.Day] = d
		}
		for i, key := range lot {
			d := made[key.day]
			if d == nil { // nothing is left of it
				d = &Day{}
				d.reset(key.project, key.day)
			}
			var body, steps []byte
			if err == nil {
				body, steps, err = d.pack(s.packedDays)
			}
			rows[i] = []any{key.project, key.day, number, body, steps}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return s.writePacked(ctx, packDays, rows, false, s.takeFromVolumes)
}

// writePacked runs a statement in a transaction of its own, and what comes with it.
func (s *Store) writePacked(ctx context.Context, st statement, rows [][]any, alone bool, with func(context.Context, *sql.Tx, [][]any) error) (n int64, err error) {
	tx, err := s.db.writer.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	if alone {
		if err := s.lockDays(ctx, tx, true); err != nil {
			return 0, err
		}
	}
	err = s.query(ctx, tx, st, rows, func(*sql.Rows) error {
		n++
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("write packed days: %w", err)
	}
	if with != nil {
		if err := with(ctx, tx, rows); err != nil {
			return 0, err
		}
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	return n, nil
}

var (
	packedTable = newTable("packed_days", 2, columns(bigint, "project_id day packing"), columns(bytea, "body steps"))
	packingDays = statement{packedTable, `UPDATE days SET packing = staged.packing FROM %s
		WHERE days.project_id = staged.project_id AND days.day = staged.day AND days.body IS NULL RETURNING days.day`}
	packDays = statement{packedTable, `UPDATE days SET body = staged.body, steps = staged.steps, packing = NULL FROM %s
		WHERE days.project_id = staged.project_id AND days.day = staged.day AND days.body IS NULL AND days.packing = staged.packing RETURNING days.day`}
)
