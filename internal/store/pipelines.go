package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrUnknown is returned where there is no such project or pipeline.
var ErrUnknown = errors.New("there is no such thing")

// MaxPage is how many rows a list gives at once.
const MaxPage = 1000

// A Pipeline is a pipeline as it is shown: what was said and what follows.
// Texts are empty, times zero and pointers nil where nobody said.
type Pipeline struct {
	ID                                      int64
	Provider, ExternalID, Workflow, URL     string
	Ref, RefKind, Commit, ChangeID, Trigger string
	OnDefaultBranch                         bool
	State, Result, RawStatus                string
	CreatedAt, StartedAt, FinishedAt        time.Time
	CreatedKnown                            bool // false: CreatedAt is the earliest instant known, zero where there is none
	HasRestarts                             bool
	Attempts                                int64
	ReportedDurationS, ReportedDurationE2eS *float64 // of a report of POST /save_metrics
}

// A Place is where a page of pipelines begins: after the pipeline that was
// created then and has that number.
type Place struct {
	CreatedMS, ID int64
}

const pipelineColumns = `id, provider, external_id, workflow, url, ref, ref_kind, commit_sha, change_id, trigger, on_default_branch,
	state, result, raw_status, created_ms, started_ms, CASE WHEN state = 'finished' THEN finished_ms END, created_known, has_restarts, attempts,
	CASE WHEN has_legacy THEN metrics_duration_s END, CASE WHEN has_legacy THEN metrics_duration_e2e_s END`

// Pipelines returns up to limit pipelines of a project, the newest first, from
// the one after the place on; nil: from the newest on.
func (s *Store) Pipelines(ctx context.Context, project int64, after *Place, limit int) (all []Pipeline, err error) {
	if after == nil {
		after = &Place{1 << 62, 1 << 62}
	}
	const query = `SELECT ` + pipelineColumns + ` FROM pipelines
		WHERE project_id = $1 AND (created_ms, id) < ($2, $3) ORDER BY created_ms DESC, id DESC LIMIT $4`
	err = s.read(ctx, query, func(rows *sql.Rows) error {
		p, err := scanShown(rows)
		all = append(all, p)
		return err
	}, project, after.CreatedMS, after.ID, min(limit, MaxPage))
	return all, err
}

// Place is where the pipeline stands in the list.
func (p *Pipeline) Place() Place {
	if p.CreatedAt.IsZero() {
		return Place{0, p.ID}
	}
	return Place{p.CreatedAt.UnixMilli(), p.ID}
}

// Pipeline returns one pipeline, or fails with ErrUnknown.
func (s *Store) Pipeline(ctx context.Context, project, id int64) (p Pipeline, err error) {
	err = s.read(ctx, `SELECT `+pipelineColumns+` FROM pipelines WHERE project_id = $1 AND id = $2`, func(rows *sql.Rows) (err error) {
		p, err = scanShown(rows)
		return err
	}, project, id)
	if err == nil && p.ID == 0 {
		err = ErrUnknown
	}
	return p, err
}

func scanShown(rows *sql.Rows) (Pipeline, error) {
	var (
		p                                                    Pipeline
		provider, external, workflow, url, ref, kind, commit sql.NullString
		change, trigger, result, raw                         sql.NullString
		onDefault                                            sql.NullBool
		created, started, finished                           sql.NullInt64
		duration, durationE2e                                sql.NullFloat64
	)
	err := rows.Scan(&p.ID, &provider, &external, &workflow, &url, &ref, &kind, &commit, &change, &trigger, &onDefault,
		&p.State, &result, &raw, &created, &started, &finished, &p.CreatedKnown, &p.HasRestarts, &p.Attempts, &duration, &durationE2e)
	p.Provider, p.ExternalID, p.Workflow, p.URL, p.Ref, p.RefKind = provider.String, external.String, workflow.String, url.String, ref.String, kind.String
	p.Commit, p.ChangeID, p.Trigger, p.Result, p.RawStatus = commit.String, change.String, trigger.String, result.String, raw.String
	p.OnDefaultBranch = onDefault.Bool
	p.CreatedAt, p.StartedAt, p.FinishedAt = timeOf(created), timeOf(started), timeOf(finished)
	if created.Int64 == 0 && !p.CreatedKnown {
		p.CreatedAt = time.Time{} // nobody said any instant
	}
	p.ReportedDurationS = pointer(duration.Float64, duration.Valid)
	p.ReportedDurationE2eS = pointer(durationE2e.Float64, durationE2e.Valid)
	return p, err
}

// read runs a query with the limit of a reader and hands each row to scan.
func (s *Store) read(ctx context.Context, query string, scan func(*sql.Rows) error, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := s.db.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}
