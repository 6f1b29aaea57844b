package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// The way back from an adoption: the original's tables as they were, with the
// pipelines that came after, as far as they fit.

// A Return says what the way back to the original did with pipelines that came
// after its database was taken over.
type Return struct {
	Written, Lost int64
}

// adopted tells whether the database was taken over from the original.
func (m *Migrator) adopted(ctx context.Context, db *sql.DB) (bool, error) {
	if !m.engine.canAdopt() {
		return false, nil
	}
	return m.engine.hasTable(ctx, db, adoptionTable)
}

// giveBack brings a database that was taken over back to the original.
func (m *Migrator) giveBack(ctx context.Context, db *sql.DB, options DownOptions, done *Migrated) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to give back: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	back, err := m.returnAll(ctx, tx, done.From, options)
	if err == nil {
		err = tx.Commit()
	}
	schema, isSchema := errors.AsType[*SchemaError](err)
	loss, isLoss := errors.AsType[*LossError](err)
	switch {
	case isSchema:
		return schema
	case isLoss:
		return loss
	case err != nil:
		return fmt.Errorf("the original's tables could not be given back, and nothing has changed: %w", err)
	}
	done.Returned = back
	return nil
}

func (m *Migrator) returnAll(ctx context.Context, tx *sql.Tx, from int64, options DownOptions) (*Return, error) {
	if err := execAll(ctx, tx, []string{"LOCK TABLE " + legacyPrefix + strings.Join(originalTables, ", "+legacyPrefix) + ", pipelines, jobs IN ACCESS EXCLUSIVE MODE"}); err != nil {
		return nil, err
	}
	back, err := m.returnPipelines(ctx, tx, options)
	if err != nil {
		return nil, err
	}
	moved, err := m.beginMove(ctx, tx, originalTables)
	if err != nil {
		return nil, err
	}
	if err := m.runDown(ctx, tx, from); err != nil {
		return nil, err
	}
	statements := []string{"DROP TABLE " + adoptionTable}
	for _, t := range originalTables {
		statements = append(statements, "ALTER TABLE "+legacyPrefix+t+" RENAME TO "+t)
	}
	if err := execAll(ctx, tx, statements); err != nil {
		return nil, err
	}
	return back, moved.redefine(ctx, tx) // the tables have their own owners and grants
}

// findNewcomers notes which pipelines came after the adoption, and why one
// does not fit into the old tables. A row that was taken over has a row id of
// the original's, below all of ours.
const findNewcomers = `CREATE TEMPORARY TABLE newcomers ON COMMIT DROP AS
	SELECT p.row_id, p.id AS pipeline_id, pr.name AS project, CASE
		WHEN p.metrics_created_ms IS NULL THEN 'not in the view metrics_pipeline'
		WHEN p.id > 2147483647 THEN 'their number is greater than 2147483647'
		WHEN EXISTS (SELECT FROM legacy_metrics_pipeline l WHERE l.pipeline_id = p.id) OR row_number() OVER same > 1 THEN 'another pipeline has their number' END AS unfit
	FROM pipelines p LEFT JOIN projects pr ON pr.id = p.project_id
	WHERE p.row_id >= 4294967296
	WINDOW same AS (PARTITION BY p.id, p.metrics_created_ms IS NULL ORDER BY p.row_id)`

func (m *Migrator) returnPipelines(ctx context.Context, tx *sql.Tx, options DownOptions) (*Return, error) {
	var revision string
	var zone sql.NullString
	if err := tx.QueryRowContext(ctx, "SELECT revision, time_zone FROM "+adoptionTable).Scan(&revision, &zone); err != nil {
		return nil, fmt.Errorf("read how the database was taken over: %w", err)
	}
	if _, err := tx.ExecContext(ctx, findNewcomers); err != nil {
		return nil, fmt.Errorf("look for pipelines that came after: %w", err)
	}
	back := &Return{}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FILTER (WHERE unfit IS NULL), count(unfit) FROM newcomers").Scan(&back.Written, &back.Lost); err != nil {
		return nil, fmt.Errorf("count pipelines that came after: %w", err)
	}
	if back.Lost > 0 && !options.Lose {
		return nil, m.refuseUnfit(ctx, tx, back.Lost)
	}
	return back, execAll(ctx, tx, returnStatements(revision, zone))
}

func (m *Migrator) refuseUnfit(ctx context.Context, tx *sql.Tx, lost int64) error {
	reasons, err := stringsOf(ctx, tx, "SELECT '\n  ' || count(*) || ': ' || unfit FROM newcomers WHERE unfit IS NOT NULL GROUP BY unfit ORDER BY unfit")
	if err != nil {
		return fmt.Errorf("count what does not fit: %w", err)
	}
	return &LossError{lost, fmt.Sprintf("%d pipelines that came after the original's database was taken over do not fit into its tables: say --yes to lose them. Nothing has changed%s", lost, strings.Join(reasons, ""))}
}

// returnStatements write the pipelines that came after as their views show them.
func returnStatements(revision string, zone sql.NullString) []string {
	at, number, value := "v.created_at", "", ""
	if zone.Valid {
		at += " AT TIME ZONE " + quoteText(zone.String)
	}
	if adoptedRevisions[revision].projectNumber {
		number, value = ", project_id", ", (SELECT r.id FROM project r WHERE r.id = v.project_id)"
	}
	const child = " v JOIN newcomers n ON n.pipeline_id = v.pipeline_id AND n.project = v.project WHERE n.unfit IS NULL ORDER BY v.pipeline_id, v.id"
	return []string{
		"INSERT INTO legacy_metrics_pipeline (pipeline_id, project, duration, duration_e2e, created_at, is_master, has_restarts" + number + `)
			SELECT v.pipeline_id, v.project, v.duration, v.duration_e2e, ` + at + ", v.is_master, v.has_restarts" + value + `
			FROM metrics_pipeline v JOIN newcomers n ON n.row_id = v.id WHERE n.unfit IS NULL ORDER BY v.created_at, v.pipeline_id`,
		"INSERT INTO legacy_metrics_build (pipeline_id, name, duration) SELECT v.pipeline_id, v.name, v.duration FROM metrics_build" + child,
		`INSERT INTO legacy_metrics_job (pipeline_id, name, duration_e2e, duration_up, duration, duration_up_without_pull, duration_pull)
			SELECT v.pipeline_id, v.name, v.duration_e2e, v.duration_up, v.duration, v.duration_up_without_pull, v.duration_pull FROM metrics_job` + child,
		"INSERT INTO legacy_metrics_job_failed (pipeline_id, name, duration) SELECT v.pipeline_id, v.name, v.duration FROM metrics_job_failed" + child,
	}
}
