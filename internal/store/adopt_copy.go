package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// adoptChunk is how many pipelines are held in memory at once, three times
// over, and how often progress is told.
const adoptChunk = 500

// copyOriginal moves the rows, a chunk at a time. What follows from them is
// derived as for any report, so that an adopted row is as Save would have
// stored it.
func (m *Migrator) copyOriginal(ctx context.Context, conn *sql.Conn, tx *sql.Tx, o *origin, a *Adoption) error {
	const step = "taking over pipelines"
	total := a.Tables[0].Taken
	m.config.Progress(step, 0, total)
	restore, err := m.prepareCopy(ctx, tx, o)
	if err != nil {
		return err
	}
	source, err := newAdoptees(ctx, conn, tx, o)
	if err != nil {
		return err
	}
	// What is held is small and short-lived: collecting it at each doubling took
	// a fifth of the time.
	defer debug.SetGCPercent(debug.SetGCPercent(200))
	by := ci.DefaultDefinitions()
	if m.config.Definitions != nil {
		by = *m.config.Definitions
	}
	in := &inForce{by, by.Hash()}
	var copied [4]int64 // as in originalTables
	// The rows of one chunk are derived while those of the one before are on
	// their way into the database.
	var derived chan *adoptedRows
	for i := 0; i <= len(source.bounds); i += 2 {
		ready := derived
		if derived = nil; i < len(source.bounds) {
			chunk, err := source.read(ctx, source.bounds[i], source.bounds[i+1])
			if err != nil {
				return fmt.Errorf("read the pipelines %d to %d: %w", source.bounds[i], source.bounds[i+1], err)
			}
			derived = make(chan *adoptedRows, 1)
			go func(to chan<- *adoptedRows) { to <- deriveAdopted(chunk, in) }(derived)
		}
		if ready != nil {
			rows := <-ready
			if err := rows.write(ctx, conn); err != nil {
				return err
			}
			for j, n := range rows.counts {
				copied[j] += n
			}
			m.config.Progress(step, copied[0], total)
		}
	}
	for i, t := range a.Tables {
		if copied[i] != t.Taken {
			return fmt.Errorf("%d rows of %s were copied, and %d were to be: this is a mistake of the program", copied[i], t.Name, t.Taken)
		}
	}
	m.config.Progress("taking over the original's database: building indexes", 0, 0)
	return restore()
}

// copyProjects takes over what the later revisions know of a project: of those
// of one name, the last.
const copyProjects = `INSERT INTO projects (name, team, ci_number, e2e_jobs, schedules, packages)
	SELECT DISTINCT ON (p.name) p.name, t.name, NULLIF(p.id, 0),
		(SELECT json_agg(j.name ORDER BY j.id)::text FROM project_job j WHERE j.project_id = p.id),
		(SELECT json_agg(json_build_object('name', s.name, 'is_active', s.is_active) ORDER BY s.id)::text FROM project_schedule s WHERE s.project_id = p.id),
		(SELECT json_object_agg(k.name, k.version ORDER BY k.id)::text FROM project_package k WHERE k.project_id = p.id)
	FROM project p LEFT JOIN team t ON t.id = p.team_id WHERE p.name <> '' ORDER BY p.name, p.id DESC
	ON CONFLICT (name) DO UPDATE SET team = excluded.team, ci_number = excluded.ci_number, e2e_jobs = excluded.e2e_jobs, schedules = excluded.schedules, packages = excluded.packages`

// prepareCopy makes the projects and indexes to find children by, and takes
// the new tables' indexes away; restore gives them back.
func (m *Migrator) prepareCopy(ctx context.Context, tx *sql.Tx, o *origin) (restore func() error, err error) {
	statements := []string{
		"SET LOCAL maintenance_work_mem = '256MB'", // for the indexes
		"INSERT INTO projects (name) SELECT DISTINCT p.project FROM legacy_metrics_pipeline p WHERE " + adoptable + " ORDER BY 1",
	}
	if o.projectNumber {
		statements = append(statements, copyProjects)
	}
	var after []string
	for _, t := range originalTables[1:] {
		index := legacyPrefix + "adopting_" + t
		statements = append(statements, "CREATE INDEX "+index+" ON "+legacyPrefix+t+" (pipeline_id)", "ANALYZE "+legacyPrefix+t)
		after = append(after, "DROP INDEX "+index)
	}
	rows, err := tx.QueryContext(ctx, `SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(conname),
			'ALTER TABLE ' || conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid)
		FROM pg_constraint WHERE contype IN ('p', 'u') AND conrelid IN ('pipelines'::regclass, 'jobs'::regclass, 'phases'::regclass)
		UNION ALL SELECT 'DROP INDEX ' || indexrelid::regclass, pg_get_indexdef(indexrelid)
		FROM pg_index i WHERE indrelid IN ('pipelines'::regclass, 'jobs'::regclass, 'phases'::regclass)
			AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)`)
	if err != nil {
		return nil, fmt.Errorf("read the indexes: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	for rows.Next() {
		var drop, create string
		if err := rows.Scan(&drop, &create); err != nil {
			return nil, fmt.Errorf("read the indexes: %w", err)
		}
		statements, after = append(statements, drop), append(after, create)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("read the indexes: %w", err)
	}
	after = append(after, fmt.Sprintf("INSERT INTO days (project_id, day) SELECT DISTINCT project_id, created_ms / %d FROM pipelines WHERE created_ms >= 0", dayMS))
	after = append(after, "ANALYZE projects", "ANALYZE pipelines", "ANALYZE jobs", "ANALYZE phases", "ANALYZE days")
	return func() error { return execAll(ctx, tx, after) }, execAll(ctx, tx, statements)
}

func execAll(ctx context.Context, tx *sql.Tx, statements []string) error {
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// readBounds returns the first and the last pipeline_id of each chunk.
func readBounds(ctx context.Context, tx *sql.Tx) (bounds []int64, err error) {
	const query = `SELECT min(id), max(id) FROM (
			SELECT p.pipeline_id::bigint AS id, (row_number() OVER (ORDER BY p.pipeline_id) - 1) / $1 AS chunk
			FROM legacy_metrics_pipeline p WHERE ` + adoptable + `) numbered
		GROUP BY chunk ORDER BY chunk`
	rows, err := tx.QueryContext(ctx, query, int64(adoptChunk))
	if err != nil {
		return nil, fmt.Errorf("divide the pipelines: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	for rows.Next() {
		var first, last int64
		if err := rows.Scan(&first, &last); err != nil {
			return nil, fmt.Errorf("divide the pipelines: %w", err)
		}
		bounds = append(bounds, first, last)
	}
	return bounds, rows.Err()
}
