package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// An adoptee is a pipeline of the original with all beneath it.
type adoptee struct {
	key     key
	rowID   int64
	legacy  ci.Legacy
	entries []adoptedEntry // beside legacy.Entries
}

// An adoptedEntry is what a row has beside what a report says.
type adoptedEntry struct {
	rowID  int64
	isNull bool // the name; an empty one stays empty
}

// adoptees reads the original's rows. It uses the driver itself: this is most
// of the program's work.
type adoptees struct {
	conn                        *sql.Conn
	pipelines, entries, runners string // statements
	bounds                      []int64
	nameless                    int64 // the project of pipelines that name none
}

func newAdoptees(ctx context.Context, conn *sql.Conn, tx *sql.Tx, o *origin) (*adoptees, error) {
	r := &adoptees{conn: conn}
	var nameless sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT max(id) FROM projects WHERE name IS NULL").Scan(&nameless); err != nil {
		return nil, fmt.Errorf("find the project without a name: %w", err)
	}
	r.nameless = nameless.Int64
	number := "NULL::bigint"
	if o.projectNumber {
		number = "p.project_id::bigint"
	}
	r.pipelines = `SELECT COALESCE(pr.id, $3::bigint), p.pipeline_id::bigint, p.id::bigint,
			round(extract(epoch FROM date_trunc('milliseconds', ` + o.at() + `))::numeric * 1000)::bigint,
			p.duration::float8, p.duration_e2e::float8, p.is_master, p.has_restarts, ` + number + `
		FROM legacy_metrics_pipeline p LEFT JOIN projects pr ON pr.name = p.project
		WHERE p.pipeline_id BETWEEN $1 AND $2 AND ` + adoptable + ` ORDER BY p.pipeline_id`
	r.entries = `SELECT kind, pipeline_id::bigint, id::bigint, name, duration::float8, up::float8, e2e::float8, pull::float8, no_pull::float8 FROM (
			SELECT 'build' AS kind, pipeline_id, id, name, duration, NULL::int AS up, NULL::int AS e2e, NULL::int AS pull, NULL::int AS no_pull FROM legacy_metrics_build
			UNION ALL SELECT 'failed', pipeline_id, id, name, duration, NULL, NULL, NULL, NULL FROM legacy_metrics_job_failed
			UNION ALL SELECT 'job', pipeline_id, id, name, duration, duration_up, duration_e2e, duration_pull, duration_up_without_pull FROM legacy_metrics_job
		) said WHERE pipeline_id BETWEEN $1 AND $2 ORDER BY pipeline_id, kind, id`
	if o.runners {
		r.runners = `SELECT pipeline_id::bigint, job_name, COALESCE(system_id, ''), CASE WHEN queued_duration BETWEEN 0 AND 1e9 THEN queued_duration END
			FROM metrics_job_runner WHERE pipeline_id BETWEEN $1 AND $2`
	}
	var err error
	r.bounds, err = readBounds(ctx, tx)
	return r, err
}

// read returns the pipelines of a chunk, in order of their numbers.
func (r *adoptees) read(ctx context.Context, first, last int64) (all []*adoptee, err error) {
	err = r.conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection of %T", driver)
		}
		if all, err = r.readPipelines(ctx, c.Conn(), first, last); err != nil {
			return err
		}
		byID := make(map[int64]*adoptee, len(all))
		for _, a := range all {
			byID[a.key.id] = a
		}
		if err := r.readEntries(ctx, c.Conn(), byID, first, last); err != nil {
			return err
		}
		return r.readRunners(ctx, c.Conn(), byID, first, last)
	})
	return all, err
}

func (r *adoptees) readPipelines(ctx context.Context, c *pgx.Conn, first, last int64) (all []*adoptee, err error) {
	rows, err := c.Query(ctx, r.pipelines, first, last, r.nameless)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		a := &adoptee{}
		var created int64
		var number *int64
		l := &a.legacy
		if err := rows.Scan(&a.key.project, &a.key.id, &a.rowID, &created, &l.DurationS, &l.DurationE2eS, &l.OnDefaultBranch, &l.HasRestarts, &number); err != nil {
			return nil, err
		}
		if l.CreatedAt = time.UnixMilli(created); number != nil {
			l.ProjectNumber = *number
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

func (r *adoptees) readEntries(ctx context.Context, c *pgx.Conn, byID map[int64]*adoptee, first, last int64) error {
	rows, err := c.Query(ctx, r.entries, first, last)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			e         ci.LegacyEntry
			kind      string
			id, rowID int64
			name      *string
		)
		if err := rows.Scan(&kind, &id, &rowID, &name, &e.DurationS, &e.UpS, &e.E2eS, &e.PullS, &e.UpNoPullS); err != nil {
			return err
		}
		a := byID[id]
		if a == nil {
			continue // its pipeline is not taken over
		}
		if e.Kind = ci.LegacyKind(kind); name != nil {
			e.Name = *name
		}
		a.legacy.Entries = append(a.legacy.Entries, e)
		a.entries = append(a.entries, adoptedEntry{rowID, name == nil})
	}
	return rows.Err()
}

// readRunners gives each runner to the last attempt of its job: the original
// keeps one for a name. Entries are in the order in which they count.
func (r *adoptees) readRunners(ctx context.Context, c *pgx.Conn, byID map[int64]*adoptee, first, last int64) error {
	if r.runners == "" {
		return nil
	}
	rows, err := c.Query(ctx, r.runners, first, last)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id           int64
			name, runner string
			queued       *float64
		)
		if err := rows.Scan(&id, &name, &runner, &queued); err != nil {
			return err
		}
		a := byID[id]
		if a == nil {
			continue
		}
		for i := len(a.legacy.Entries) - 1; i >= 0; i-- {
			if e := &a.legacy.Entries[i]; e.Name == name && e.Kind != ci.LegacyBuild {
				e.RunnerID, e.QueuedS = runner, queued
				break
			}
		}
	}
	return rows.Err()
}

// adoptedRows are the rows of a chunk, as COPY takes them.
type adoptedRows struct {
	pipelines, jobs, phases [][]any
	fields                  fields
	copies                  []tableCopy
	counts                  [4]int64 // pipelines, builds, jobs, failed attempts
	err                     error
}

// deriveAdopted makes the rows of pipelines as Save makes them of a report, but
// for the ids, which stay those of the original.
func deriveAdopted(chunk []*adoptee, by *inForce) *adoptedRows {
	all := &adoptedRows{pipelines: make([][]any, 0, len(chunk)), phases: make([][]any, 0, 2*len(chunk))}
	jobs := reportedJobs
	for _, a := range chunk {
		if a.legacy.HasRunners() {
			jobs = jobsTable
		}
		all.add(a, by)
	}
	for _, c := range []struct {
		table *table
		rows  [][]any
	}{{reportedPipelines, all.pipelines}, {jobs, all.jobs}, {phasesTable, all.phases}} {
		data, err := binaryRows(c.table, c.rows)
		all.copies, all.err = append(all.copies, tableCopy{c.table, data}), errors.Join(all.err, err)
	}
	all.pipelines, all.jobs, all.phases = nil, nil, nil
	return all
}

func (r *adoptedRows) add(a *adoptee, by *inForce) {
	rec := &ci.Record{Legacy: &a.legacy}
	rec.Derive(by.Definitions, "")
	created := millisOf(rec.CreatedAt)
	r.pipelines = append(r.pipelines, pipelineRow(&r.fields, &a.key, a.rowID, rec, "", by.hash))
	r.counts[0]++
	position := map[ci.LegacyKind]int{}
	for i := range a.legacy.Entries {
		kind := a.legacy.Entries[i].Kind
		attempt := rec.Attempts[ci.LegacyKey(kind, position[kind])]
		position[kind]++
		row := jobRow(&r.fields, &a.key, a.entries[i].rowID, attempt, &created)
		if attempt.Name == "" && !a.entries[i].isNull {
			row[jobsNameColumn] = ""
		}
		r.jobs = append(r.jobs, row)
	}
	r.counts[1] += int64(position[ci.LegacyBuild])
	r.counts[2] += int64(position[ci.LegacyJob])
	r.counts[3] += int64(position[ci.LegacyFailed])
	for i := range rec.Phases {
		r.phases = append(r.phases, phaseRow(&r.fields, &a.key, &rec.Phases[i], &created))
	}
}

// jobsNameColumn is the place of a job's name in a row of jobs.
var jobsNameColumn = slices.Index(jobsTable.names(), "name")

// write puts the rows into the database.
func (r *adoptedRows) write(ctx context.Context, conn *sql.Conn) error {
	for _, c := range r.copies {
		if r.err == nil {
			r.err = c.write(ctx, conn)
		}
	}
	return r.err
}
