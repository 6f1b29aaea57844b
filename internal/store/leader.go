package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"
)

// How leadership is asked for and held.
const (
	leadEvery  = 5 * time.Second // how often a replica asks whether it may lead, and a leader whether it still does
	leadAnswer = 3 * time.Second // how long the database may take to say
)

// Lead runs work while this process is the one of all replicas on the database
// that does what the name stands for, and runs it again when it comes to be so
// once more. The context of work ends when that is over. Lead returns when ctx
// is done; work that returns by itself is not run again.
//
// On PostgreSQL who leads holds an advisory lock of a connection, so all
// replicas must reach the same server, and past any pooler (Config.Direct). A
// SQLite file has one server, which leads.
func (s *Store) Lead(ctx context.Context, name string, work func(ctx context.Context)) {
	for ctx.Err() == nil {
		lock, err := s.engine.leadership(ctx, s, name)
		switch {
		case err != nil && ctx.Err() == nil:
			s.config.Log.WarnContext(ctx, "who leads can't be settled now", "work", name, "error", err)
		case lock != nil:
			done := s.lead(ctx, lock, work)
			if err := lock.release(); err != nil && ctx.Err() == nil {
				s.config.Log.WarnContext(ctx, "leadership was lost", "work", name, "error", err)
			}
			if done {
				return
			}
		}
		select {
		case <-time.After(leadEvery):
		case <-ctx.Done():
		}
	}
}

// lead runs work until it returns, which it reports, or the lock is lost.
func (s *Store) lead(ctx context.Context, lock *leadership, work func(ctx context.Context)) (done bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	finished := make(chan struct{})
	wg.Go(func() {
		defer close(finished)
		work(ctx)
	})
	defer wg.Wait()
	defer cancel()
	for {
		select {
		case <-finished:
			return true
		case <-ctx.Done():
			return false
		case <-time.After(leadEvery):
			if !lock.held(ctx) {
				return false
			}
		}
	}
}

// A leadership is the right to do something on behalf of all replicas.
type leadership struct {
	pool *sql.DB   // nil: nobody else can have it
	conn *sql.Conn // holds the lock as long as it lives
}

// held tells whether the connection that holds the lock still does.
func (l *leadership) held(ctx context.Context) bool {
	if l.conn == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, leadAnswer)
	defer cancel()
	return l.conn.PingContext(ctx) == nil
}

// release ends the connection, and the lock with it.
func (l *leadership) release() error {
	if l.conn == nil {
		return nil
	}
	return errors.Join(l.conn.Close(), l.pool.Close())
}

// askToLead asks PostgreSQL for the lock of a name, without waiting. Nil:
// another replica has it. Several installations may share a database, each in
// a schema of its own.
func (s *Store) askToLead(ctx context.Context, pool *sql.DB, name string) (*leadership, error) {
	ctx, cancel := context.WithTimeout(ctx, leadAnswer)
	defer cancel()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	var schema string
	var mine bool
	if err = conn.QueryRowContext(ctx, "SELECT current_schema()").Scan(&schema); err == nil {
		err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", leadershipKey(schema, name)).Scan(&mine)
	}
	if err != nil || !mine {
		return nil, errors.Join(err, conn.Close())
	}
	return &leadership{pool: pool, conn: conn}, nil
}

func leadershipKey(schema, name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("pipeline-metrics-collector\x00" + schema + "\x00" + name)) // never fails
	return int64(h.Sum64())
}
