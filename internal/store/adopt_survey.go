package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// readOrigin finds out what there is, and refuses what we do not know.
func (m *Migrator) readOrigin(ctx context.Context, tx *sql.Tx) (*origin, error) {
	revisions, err := stringsOf(ctx, tx, "SELECT version_num FROM alembic_version")
	if err != nil {
		return nil, fmt.Errorf("read the original's revision: %w", err)
	}
	revision := strings.Join(revisions, ", ")
	known, ok := adoptedRevisions[revision]
	if !ok {
		return nil, unknownRevision(revision)
	}
	o := &origin{revision: revision, projectNumber: known.projectNumber, runners: known.runners}
	if err := refuseIncomplete(ctx, tx, o); err != nil {
		return nil, err
	}
	const kind = "SELECT format_type(atttypid, NULL) = 'timestamp with time zone' FROM pg_attribute WHERE attrelid = 'metrics_pipeline'::regclass AND attname = 'created_at'"
	if err := tx.QueryRowContext(ctx, kind).Scan(&o.instants); err != nil {
		return nil, fmt.Errorf("look at created_at: %w", err)
	}
	if !o.instants {
		o.zone, err = m.legacyZone(ctx, tx)
	}
	return o, err
}

func unknownRevision(revision string) error {
	if revision == "" {
		revision = "no revision at all"
	}
	known := make([]string, 0, len(adoptedRevisions))
	for r := range adoptedRevisions {
		known = append(known, r)
	}
	slices.Sort(known)
	return &SchemaError{fmt.Sprintf("the database has a table alembic_version with %s, and this program takes over the original's revisions %s alone: "+
		"bring it to one of those with the original's own migrations, or name another database or schema (?search_path=...). Nothing has changed", revision, strings.Join(known, ", "))}
}

// originalColumns are those that we read, by table.
var originalColumns = map[string]string{
	"metrics_pipeline":   "id pipeline_id project duration duration_e2e created_at is_master has_restarts",
	"metrics_build":      "id pipeline_id name duration",
	"metrics_job":        "id pipeline_id name duration_e2e duration_up duration duration_up_without_pull duration_pull",
	"metrics_job_failed": "id pipeline_id name duration",
}

// refuseIncomplete tells of columns that the revision should have.
func refuseIncomplete(ctx context.Context, tx *sql.Tx, o *origin) error {
	want := map[string]string{}
	for _, t := range originalTables {
		want[t] = originalColumns[t]
	}
	if o.projectNumber {
		want["metrics_pipeline"] += " project_id"
		want["project"], want["team"], want["project_job"] = "id name team_id", "id name", "id name project_id"
		want["project_package"], want["project_schedule"] = "id name version project_id", "id name is_active project_id"
	}
	if o.runners {
		want["metrics_job_runner"] = "pipeline_id job_name system_id queued_duration"
	}
	for t, columns := range want {
		have, err := stringsOf(ctx, tx, `SELECT attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
			WHERE c.relname = $1 AND c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped`, t)
		if err != nil {
			return fmt.Errorf("look at %s: %w", t, err)
		}
		for c := range strings.FieldsSeq(columns) {
			if !slices.Contains(have, c) {
				return &SchemaError{fmt.Sprintf("the database says that it is the original's revision %s, but %s.%s is not there: bring it to that revision first. Nothing has changed", o.revision, t, c)}
			}
		}
	}
	return nil
}

// legacyZone is the zone that was said, else the server's own for this
// database and role.
func (m *Migrator) legacyZone(ctx context.Context, tx *sql.Tx) (zone string, err error) {
	if m.config.LegacyTimezone == "" {
		if err := tx.QueryRowContext(ctx, "SHOW TimeZone").Scan(&zone); err != nil {
			return "", fmt.Errorf("ask for the time zone: %w", err)
		}
		return zone, nil
	}
	zone = m.config.LegacyTimezone
	if _, err := tx.ExecContext(ctx, "SELECT now() AT TIME ZONE $1::text", zone); err != nil {
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "22023" {
			return "", &SchemaError{fmt.Sprintf("there is no time zone %q: --legacy-timezone takes one like Europe/Berlin. Nothing has changed", zone)}
		}
		return "", fmt.Errorf("ask for the time zone %s: %w", zone, err)
	}
	return zone, nil
}

// adoptable is true of the rows of metrics_pipeline, named p, that are taken.
const adoptable = `p.pipeline_id >= 1 AND isfinite(p.created_at) AND p.duration IS NOT NULL AND p.duration_e2e IS NOT NULL`

// survey counts what is taken over and what stays, by reason. It is asked
// before anything is renamed, and changes nothing.
func (o *origin) survey(ctx context.Context, tx *sql.Tx) (*Adoption, error) {
	a := &Adoption{Revision: o.revision, Timezone: o.zone}
	pipelines, err := surveyPipelines(ctx, tx)
	if err != nil {
		return nil, err
	}
	a.Tables = append(a.Tables, pipelines)
	for _, t := range originalTables[1:] {
		child := AdoptedTable{Name: t}
		query := `SELECT count(*), count(p.id) FROM ` + t + ` c LEFT JOIN metrics_pipeline p ON p.pipeline_id = c.pipeline_id AND ` + adoptable
		if err := tx.QueryRowContext(ctx, query).Scan(&child.Rows, &child.Taken); err != nil {
			return nil, fmt.Errorf("count %s: %w", t, err)
		}
		if n := child.Rows - child.Taken; n > 0 {
			child.Left = []LeftRows{{"no pipeline of their number is taken over", n}}
		}
		a.Tables = append(a.Tables, child)
	}
	return a, o.refuseFuture(ctx, tx, a)
}

func surveyPipelines(ctx context.Context, tx *sql.Tx) (AdoptedTable, error) {
	t := AdoptedTable{Name: "metrics_pipeline"}
	var distinct int64
	if err := tx.QueryRowContext(ctx, "SELECT count(pipeline_id) - count(DISTINCT pipeline_id) FROM metrics_pipeline").Scan(&distinct); err != nil {
		return t, fmt.Errorf("count metrics_pipeline: %w", err)
	}
	if distinct > 0 {
		return t, &SchemaError{fmt.Sprintf("metrics_pipeline has %d rows whose pipeline_id is there already, which the original's UNIQUE constraint forbids: remove them first. Nothing has changed", distinct)}
	}
	const query = `SELECT CASE WHEN ` + adoptable + ` THEN '' WHEN p.pipeline_id IS NULL THEN 'pipeline_id is null' WHEN p.pipeline_id < 1 THEN 'pipeline_id is less than 1'
		WHEN p.created_at IS NULL THEN 'created_at is null' WHEN NOT isfinite(p.created_at) THEN 'created_at is infinite'
		WHEN p.duration IS NULL THEN 'duration is null' ELSE 'duration_e2e is null' END, count(*) FROM metrics_pipeline p GROUP BY 1 ORDER BY 1`
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return t, fmt.Errorf("count metrics_pipeline: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	for rows.Next() {
		var l LeftRows
		if err := rows.Scan(&l.Reason, &l.Rows); err != nil {
			return t, fmt.Errorf("count metrics_pipeline: %w", err)
		}
		t.Rows += l.Rows
		if l.Reason == "" {
			t.Taken = l.Rows
		} else {
			t.Left = append(t.Left, l)
		}
	}
	return t, rows.Err()
}

// refuseFuture finds the newest pipeline; one in the future means that the
// zone is wrong.
func (o *origin) refuseFuture(ctx context.Context, tx *sql.Tx, a *Adoption) error {
	var newest sql.NullTime
	var future sql.NullBool
	query := "SELECT max(" + o.at() + "), max(" + o.at() + ") > clock_timestamp() FROM metrics_pipeline p WHERE " + adoptable
	if err := tx.QueryRowContext(ctx, query).Scan(&newest, &future); err != nil {
		return fmt.Errorf("look for the newest pipeline: %w", err)
	}
	a.Newest = newest.Time.UTC()
	if !future.Bool {
		return nil
	}
	zone := "as it stands"
	if !o.instants {
		zone = "read in the time zone " + o.zone
	}
	return &SchemaError{fmt.Sprintf("the newest pipeline of metrics_pipeline was created at %s, %s, and that is in the future: "+
		"say with --legacy-timezone in which zone the original wrote created_at, or mend the row. Nothing has changed", a.Newest.Format(time.RFC3339), zone)}
}

// stringsOf returns the answers of a query of one text column.
func stringsOf(ctx context.Context, tx *sql.Tx, query string, args ...any) (all []string, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
