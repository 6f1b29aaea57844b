package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A Recent is one pipeline with all that is known of it, not derived yet.
type Recent struct {
	*ci.Record

	BranchInForce string // the default branch by which it is to be derived
}

// maxRecent is how many pipelines Recent returns at the most.
const maxRecent = 200

// Recent returns the newest pipelines of a project, the newest first: at most
// limit, and few enough to hold in memory.
func (s *Store) Recent(ctx context.Context, p Project, limit int) ([]Recent, error) {
	var keys []key
	var attempts int64
	const newest = "SELECT id, attempts FROM pipelines WHERE project_id = $1 AND created_known ORDER BY created_ms DESC, id DESC LIMIT $2"
	err := s.read(ctx, newest, func(rows *sql.Rows) error {
		k := key{project: p.ID}
		var n int64
		if err := rows.Scan(&k.id, &n); err != nil {
			return err
		}
		if attempts += n; attempts <= exportAttempts || len(keys) == 0 {
			keys = append(keys, k)
		}
		return nil
	}, p.ID, min(limit, maxRecent))
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	args := []any{p.ID}
	places := make([]string, len(keys))
	for i, k := range keys {
		args = append(args, k.id)
		places[i] = fmt.Sprintf("$%d", i+2)
	}
	byKey, err := s.readWhole(ctx, "(SELECT project_id, id FROM pipelines WHERE project_id = $1 AND id IN ("+strings.Join(places, ", ")+")) AS staged", args...)
	if err != nil {
		return nil, err
	}
	all := make([]Recent, 0, len(keys))
	for _, k := range keys {
		if l := byKey[k]; l != nil { // deleted just now
			all = append(all, Recent{l.rec, l.branchInForce})
		}
	}
	return all, nil
}

// readWhole reads all that is known of some pipelines, which the text selects
// as staged.
func (s *Store) readWhole(ctx context.Context, staged string, args ...any) (map[key]*loaded, error) {
	byKey := map[key]*loaded{}
	for _, part := range []struct {
		query string
		scan  func(*sql.Rows) error
	}{
		{selectPipelines, func(rows *sql.Rows) error {
			k, l, err := scanPipeline(rows)
			byKey[k] = l
			return err
		}},
		{selectJobs, func(rows *sql.Rows) error { return scanJob(rows, byKey) }},
		{selectSteps, func(rows *sql.Rows) error { return scanStep(rows, byKey) }},
	} {
		if err := s.read(ctx, fmt.Sprintf(part.query, staged), part.scan, args...); err != nil {
			return nil, err
		}
	}
	return byKey, nil
}

// CountBefore counts the pipelines of a project that were created before an
// instant: what Prune would remove.
func (s *Store) CountBefore(ctx context.Context, p Project, before time.Time) (n int64, err error) {
	err = s.read(ctx, "SELECT count(*) FROM pipelines WHERE project_id = $1 AND created_ms > 0 AND created_ms < $2", func(rows *sql.Rows) error { return rows.Scan(&n) }, p.ID, before.UnixMilli())
	return n, err
}
