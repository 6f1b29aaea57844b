package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// The days of a project are a memo of its rows (docs/decisions/0013-days.md).
// Whoever writes rows takes the bodies of their days away in the same
// transaction; the packer makes them anew.

// A dayKey names a day of a project.
type dayKey struct{ project, day int64 }

// openDays are the days of which rows can be written without another word: that
// they are there without a body has been committed, and nobody packs them
// before they are over. A report costs nothing so, but for the first of a day
// and those that tell of the past.
type openDays struct {
	mu    sync.Mutex
	today int64 // all that follows is of today or later
	known map[dayKey]bool
}

// without returns the days that are not known, in order.
func (o *openDays) without(days map[dayKey]bool, today int64) []dayKey {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.today != today {
		o.today, o.known = today, map[dayKey]bool{}
	}
	maps.DeleteFunc(days, func(d dayKey, _ bool) bool { return o.known[d] })
	return slices.SortedFunc(maps.Keys(days), func(a, b dayKey) int {
		return cmp.Or(cmp.Compare(a.project, b.project), cmp.Compare(a.day, b.day))
	})
}

// add takes days whose mark has been committed.
func (o *openDays) add(days []dayKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range days {
		if d.day >= o.today && o.known != nil {
			o.known[d] = true
		}
	}
}

func (s *Store) today() int64 { return s.config.Now().UnixMilli() / dayMS }

// markDays takes away the bodies of the days whose rows the transaction writes.
// The days that it returns are for s.open, once that is committed.
func (s *Store) markDays(ctx context.Context, tx querier, groups []*group) ([]dayKey, error) {
	touched := map[dayKey]bool{}
	for _, g := range groups {
		if g.written == nil {
			continue
		}
		touched[dayKey{g.key.project, g.written.created / dayMS}] = true
		if g.stored != nil {
			touched[dayKey{g.key.project, g.stored.created / dayMS}] = true
		}
	}
	days := s.open.without(touched, s.today())
	if len(days) == 0 {
		return nil, nil
	}
	if err := s.lockDays(ctx, tx, false); err != nil {
		return nil, err
	}
	rows := make([][]any, len(days))
	for i, d := range days {
		rows[i] = []any{d.project, d.day}
	}
	for _, st := range []statement{insertDays, staleDays} {
		if err := s.exec(ctx, tx, st, rows); err != nil {
			return nil, fmt.Errorf("mark the days: %w", err)
		}
	}
	return days, nil
}

// lockDays keeps packers from beginning until the transaction of a writer ends:
// one that began would not see the rows, and the writer not what it began. The
// packer asks to be alone.
func (s *Store) lockDays(ctx context.Context, tx querier, alone bool) error {
	lock := s.engine.lockDays(alone)
	if lock == "" {
		return nil
	}
	if t, ok := tx.(*transaction); ok && t.wire != nil {
		t.wire.add(message{what: "lock the days", text: lock})
		return nil
	}
	if _, err := tx.ExecContext(ctx, lock); err != nil {
		return fmt.Errorf("lock the days: %w", err)
	}
	return nil
}

var (
	daysTable  = newTable("days", 2, columns(bigint, "project_id day"))
	insertDays = statement{daysTable, daysTable.insert("%s") + " ON CONFLICT (project_id, day) DO NOTHING"}
	staleDays  = statement{daysTable, `UPDATE days SET body = NULL, steps = NULL, packing = NULL FROM %s
		WHERE days.project_id = staged.project_id AND days.day = staged.day AND (days.body IS NOT NULL OR days.packing IS NOT NULL)`}
)
