package store

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// maxPendingCounted is up to where Pending counts: to know more would cost more
// than it tells.
const maxPendingCounted = 100_000

// pendingFresh is how long a count serves all who ask: every question does.
const pendingFresh = 10 * time.Second

// A pendingCount remembers which projects have pipelines that are pending.
type pendingCount struct {
	mu     sync.Mutex
	until  time.Time
	byName map[string]int64
}

// forget makes the next who asks count anew.
func (c *pendingCount) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Time{}
}

// Pending counts the pipelines of a project, up to 100,000, that other
// definitions than those in force were used for.
func (s *Store) Pending(ctx context.Context, p Project) (n int64, err error) {
	d, err := s.derived(ctx, p.ID)
	if err != nil || len(d) == 0 {
		return 0, err
	}
	return s.pendingOf(ctx, &d[0])
}

func (s *Store) pendingOf(ctx context.Context, d *derivedProject) (n int64, err error) {
	if d.clean() {
		return 0, nil
	}
	err = s.read(ctx, `SELECT count(*) FROM (SELECT 1 FROM pipelines WHERE project_id = $1 AND phases_hash <> $2 LIMIT $3) AS pending`,
		func(rows *sql.Rows) error { return rows.Scan(&n) }, d.id, d.by.hash, maxPendingCounted)
	return n, err
}

// PendingIn is the same for several projects together, by their names; none:
// all. It may be some seconds old.
func (s *Store) PendingIn(ctx context.Context, names []string) (n int64, err error) {
	c := &s.pending
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := s.config.Now(); !now.Before(c.until) {
		all, err := s.derived(ctx, 0)
		if err != nil {
			return 0, err
		}
		counted := map[string]int64{}
		for i := range all {
			n, err := s.pendingOf(ctx, &all[i])
			if err != nil {
				return 0, err
			}
			if n > 0 {
				counted[all[i].name] = n
			}
		}
		c.byName, c.until = counted, now.Add(pendingFresh)
	}
	if len(names) == 0 {
		for _, some := range c.byName {
			n += some
		}
	}
	for _, name := range names {
		n += c.byName[name]
	}
	return n, nil
}
