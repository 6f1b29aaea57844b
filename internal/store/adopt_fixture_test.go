package store_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// The original's schemas, as its migrations leave them.
const (
	publishedSchema = `CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
CREATE TABLE metrics_pipeline (id serial PRIMARY KEY, pipeline_id integer UNIQUE, project varchar, duration integer, duration_e2e integer, created_at timestamp, is_master boolean, has_restarts boolean);
CREATE TABLE metrics_job (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration_e2e integer, duration_up integer, duration integer, duration_up_without_pull integer, duration_pull integer);
CREATE TABLE metrics_job_failed (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration integer);
CREATE TABLE metrics_build (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration integer);
INSERT INTO alembic_version VALUES ('5684fb25dcfd');`
	projectSchema = `CREATE TYPE project_status AS ENUM ('ACTIVE','DEPRECATED');  CREATE TYPE project_priority AS ENUM ('P0','P1','P2');
CREATE TABLE team (id serial PRIMARY KEY, name varchar NOT NULL);
CREATE TABLE project (id serial PRIMARY KEY, name varchar NOT NULL, status project_status NOT NULL, priority project_priority NOT NULL, team_id integer NOT NULL REFERENCES team);
CREATE TABLE project_job (id serial PRIMARY KEY, name varchar NOT NULL, project_id integer NOT NULL REFERENCES project);
CREATE TABLE project_package (id serial PRIMARY KEY, name varchar NOT NULL, version varchar NOT NULL, project_id integer NOT NULL REFERENCES project);
CREATE TABLE project_schedule (id serial PRIMARY KEY, name varchar NOT NULL, is_active boolean NOT NULL, project_id integer NOT NULL REFERENCES project);
ALTER TABLE metrics_pipeline ADD project_id integer REFERENCES project;
INSERT INTO team VALUES (1, 'web');
INSERT INTO project VALUES (7, 'acme/shop', 'ACTIVE', 'P0', 1);
UPDATE alembic_version SET version_num = '43eff8f33449';`
	runnerSchema = `CREATE TABLE metrics_job_runner (id serial PRIMARY KEY, pipeline_id integer NOT NULL, job_name varchar NOT NULL, system_id varchar, cpu_count integer, cpu_model varchar, cores_per_socket integer, threads_per_core integer,
    ram_total_mb integer, ram_available_mb integer, queued_duration double precision, created_at timestamp, UNIQUE (pipeline_id, job_name));
UPDATE alembic_version SET version_num = 'a1b2c3d4e5f6';`
)

// awkwardRows are those that somebody's database has one of.
const awkwardRows = `INSERT INTO metrics_pipeline (pipeline_id, project, duration, duration_e2e, created_at, is_master, has_restarts) VALUES
	(NULL, 'acme/shop', 10, 5, '2023-01-01 10:00:00', true, false), (NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(-5, 'acme/shop', 10, 5, '2023-01-01 10:00:00', true, false), (0, 'acme/shop', 10, 5, '2023-01-01 10:00:00', true, false),
	(900001, 'acme/shop', NULL, 5, '2023-01-01 10:00:00', true, false), (900002, 'acme/shop', 10, NULL, '2023-01-01 10:00:00', true, false),
	(900003, 'acme/shop', 10, 5, NULL, true, false), (900004, 'acme/shop', 10, 5, 'infinity', true, false),
	(900010, NULL, 10, 5, '2023-01-01 10:00:00.123456', NULL, NULL), (900011, 'a ''quoted" path/Grüße 🚀', 5, 10, '1969-12-31 23:59:59.9999', false, true),
	(900013, 'acme/shop', 20, 5, '2023-01-01 10:00:00', NULL, NULL), (900012, 'only/here', 0, 0, '2023-03-26 02:30:00', false, NULL), (2147483647, 'acme/shop', 2147483647, -3, '2023-10-29 02:30:00.029', true, false);
INSERT INTO metrics_build (pipeline_id, name, duration) VALUES (900010, 'build-e2e', 64), (900010, 'build-e2e', 64), (900010, NULL, NULL), (900012, 'e2e', 3),
	(NULL, 'build-e2e', 1), (-5, 'build-e2e', 1), (777777, 'build-e2e', 1), (900001, 'build-e2e', 1);
INSERT INTO metrics_job (pipeline_id, name, duration_e2e, duration_up, duration, duration_up_without_pull, duration_pull) VALUES
	(900010, 'e2e', 1, 2, 3, 4, 5), (900010, 'e2e', 1, 2, 3, 4, 5), (900010, NULL, NULL, NULL, NULL, NULL, NULL), (900012, 'e2e', NULL, NULL, 9, NULL, NULL), (777777, 'e2e', 1, 1, 1, 1, 1);
INSERT INTO metrics_job_failed (pipeline_id, name, duration) VALUES (900012, 'e2e', 9), (900012, 'e2e', NULL), (777777, 'e2e', 1), (NULL, NULL, NULL);`

// manyRows are n pipelines of nine projects, with their rows.
const manyRows = `INSERT INTO metrics_pipeline (pipeline_id, project, duration, duration_e2e, created_at, is_master, has_restarts)
	SELECT n, CASE WHEN n %% 3 = 0 THEN 'acme/shop' ELSE 'group/p' || n %% 8 END, 300 + n * 7919 %% 2000, n * 104729 %% 300, timestamp '2023-01-01' + n * interval '61.029 s', n %% 4 > 0, n %% 5 = 0
	FROM generate_series(1::bigint, %[1]d) n ORDER BY n * 7919 %% 1000003;
INSERT INTO metrics_build (pipeline_id, name, duration) SELECT n, 'build-e2e', 60 + n %% 50 FROM generate_series(1::bigint, %[1]d) n WHERE n %% 50 > 0;
INSERT INTO metrics_job (pipeline_id, name, duration_e2e, duration_up, duration, duration_up_without_pull, duration_pull)
	SELECT n, 'e2e ' || j, 100 + n %% 90, 40, 150 + n %% 90, CASE WHEN j > 2 THEN 30 END, CASE WHEN j > 2 THEN 10 END FROM generate_series(1::bigint, %[1]d) n, generate_series(1, %[2]d) j;
INSERT INTO metrics_job_failed (pipeline_id, name, duration) SELECT n, 'e2e 1', 77 FROM generate_series(1::bigint, %[1]d) n WHERE n %% 5 = 0;`

func rowsOf(pipelines, jobs int) string { return fmt.Sprintf(manyRows, pipelines, jobs) }

var revisions = []string{"5684fb25dcfd", "43eff8f33449", "a1b2c3d4e5f6"}

// originalAt makes a database of the original at a revision, and fills it.
func originalAt(t testing.TB, revision string, fill ...string) (database string, db *sql.DB) {
	t.Helper()
	database = storetest.Postgres(t)
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	schemas := []string{publishedSchema, projectSchema, runnerSchema}
	for _, s := range append(schemas[:slices.Index(revisions, revision)+1], fill...) {
		must(t, db, s)
	}
	return database, db
}

func must(t testing.TB, db *sql.DB, statements string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatalf("%.200s: %v", statements, err)
	}
}

// answer is the rows of a query as lines of text; null is ∅.
func answer(t testing.TB, db *sql.DB, query string, args ...any) (lines []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, append([]any{pgx.QueryExecModeExec}, args...)...) // no plan outlives a table
	if err != nil {
		t.Fatalf("%.300s: %v", query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	cells, at := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range cells {
		at[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(at...); err != nil {
			t.Fatal(err)
		}
		line := make([]string, len(cells))
		for i, c := range cells {
			if line[i] = c.String; !c.Valid {
				line[i] = "∅"
			}
		}
		lines = append(lines, strings.Join(line, " | "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// with adds a parameter to the database's URL.
func with(t *testing.T, database, name, value string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

func adopt(t testing.TB, config store.Config) *store.Adoption {
	t.Helper()
	m, err := store.NewMigrator(config)
	if err != nil {
		t.Fatal(err)
	}
	done, err := m.Up(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if done.Adopted == nil {
		t.Fatalf("nothing was taken over: %+v", done)
	}
	return done.Adopted
}
