package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Retention is how long things are kept. What is 0 is kept for ever. How long
// pipelines are kept is in the settings of their project.
type Retention struct {
	DeliveryBodies time.Duration // since the delivery came
	Deliveries     time.Duration // without their bodies, so that a repeated one is known
	Answers        time.Duration // to requests with an Idempotency-Key
}

// Pruned is how much was removed.
type Pruned struct {
	DeliveryBodies, Deliveries, Answers int64
	// Pipelines are those that were older than their project keeps them.
	Pipelines int64
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
	done.Pipelines, err = s.prunePipelines(ctx)
	return done, err
}

// An Expiry is what a project no longer keeps.
type Expiry struct {
	Project   Project
	KeepDays  int
	Before    time.Time // pipelines that were created before it go
	Pipelines int64     // how many there are
}

// Expired lists what Prune would remove of each project that does not keep its
// pipelines for ever.
func (s *Store) Expired(ctx context.Context) ([]Expiry, error) {
	var all []Expiry
	const query = `SELECT p.id, COALESCE(p.name, ''), c.settings FROM project_settings c JOIN projects p ON p.id = c.id
		WHERE c.settings LIKE '%"keep_days":%' ORDER BY p.name`
	err := s.read(ctx, query, func(rows *sql.Rows) error {
		var e Expiry
		var text string
		if err := rows.Scan(&e.Project.ID, &e.Project.Name, &text); err != nil {
			return err
		}
		var settings ci.Settings
		if err := json.Unmarshal([]byte(text), &settings); err != nil {
			return fmt.Errorf("read the settings of %s: %w", e.Project.Name, err)
		}
		if e.KeepDays = settings.KeepDays; e.KeepDays > 0 {
			e.Before = s.config.Now().AddDate(0, 0, -e.KeepDays)
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Pipelines, err = s.CountBefore(ctx, all[i].Project, all[i].Before); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// prunePipelines removes the pipelines that their projects no longer keep. One
// whose age is not known stays.
func (s *Store) prunePipelines(ctx context.Context) (all int64, err error) {
	expired, err := s.Expired(ctx)
	if err != nil {
		return 0, err
	}
	for _, e := range expired {
		if e.Pipelines == 0 {
			continue
		}
		n, err := s.DeleteExpired(ctx, e)
		if all += n; err != nil {
			return all, fmt.Errorf("delete pipelines of %s: %w", e.Project.Name, err)
		}
	}
	return all, nil
}

// DeleteExpired removes what Expired said of a project, for good, and logs it.
func (s *Store) DeleteExpired(ctx context.Context, e Expiry) (int64, error) {
	s.config.Log.InfoContext(ctx, "deleting pipelines that are older than their project keeps them",
		"project", e.Project.Name, "keep_days", e.KeepDays, "before", e.Before, "pipelines", e.Pipelines)
	n, err := s.removePipelines(ctx, e.Project.ID, firstMS, e.Before.UnixMilli())
	s.config.Log.InfoContext(ctx, "deleted pipelines", "project", e.Project.Name, "pipelines", n)
	return n, err
}

// firstMS is the first instant of a pipeline of which anything is known.
const firstMS = 1

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
