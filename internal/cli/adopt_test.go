package cli_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

const originalSchema = `CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
CREATE TABLE metrics_pipeline (id serial PRIMARY KEY, pipeline_id integer UNIQUE, project varchar, duration integer, duration_e2e integer, created_at timestamp, is_master boolean, has_restarts boolean);
CREATE TABLE metrics_job (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration_e2e integer, duration_up integer, duration integer, duration_up_without_pull integer, duration_pull integer);
CREATE TABLE metrics_job_failed (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration integer);
CREATE TABLE metrics_build (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration integer);
INSERT INTO alembic_version VALUES ('5684fb25dcfd');
INSERT INTO metrics_pipeline (pipeline_id, project, duration, duration_e2e, created_at, is_master, has_restarts) VALUES (1, 'test/project', 97, 27, '2023-06-13 07:11:24.029', true, false), (NULL, 'test/project', 97, 27, NULL, true, false);
INSERT INTO metrics_build (pipeline_id, name, duration) VALUES (1, 'build-e2e', 64);
CREATE VIEW mine AS SELECT duration FROM metrics_pipeline;`

func TestMigrateTakesOverTheOriginal(t *testing.T) {
	t.Parallel()
	name := storetest.Postgres(t)
	db, err := sql.Open("pgx", name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), originalSchema); err != nil {
		t.Fatal(err)
	}
	database := "--database=postgresql+psycopg2://" + strings.SplitN(name, "://", 2)[1] // SQLAlchemy's form

	out, _ := run(t, 0, "migrate", "status", database)
	holds(t, out, "database of the original", "version 0")
	_, said := run(t, 1, "migrate", "up", "--dry-run", database)
	holds(t, said, "view public.mine", "--recreate-dependents")
	_, said = run(t, 1, "serve", "--listen=127.0.0.1:0", "--migrate=check", database)
	holds(t, said, "database is one of the original")
	out, _ = run(t, 0, "migrate", "up", "--dry-run", "--recreate-dependents", "--legacy-timezone=Europe/Berlin", database)
	holds(t, out, "Would take over the original's database (revision 5684fb25dcfd)", "time zone Europe/Berlin", "2023-06-13T05:11:24Z", "Nothing was changed.")
	out, said = run(t, 0, "migrate", "up", "--recreate-dependents", database)
	holds(t, out, "Took over the original's database", "time zone UTC; the newest pipeline was created at 2023-06-13T07:11:24Z",
		"metrics_pipeline: 2 rows, of which 1 move; the table stays as legacy_metrics_pipeline", "1 stay in it alone: pipeline_id is null",
		"metrics_build: 1 rows", "defined again: view public.mine", "it was at 0")
	holds(t, said, "taking over pipelines: 1 of 1")
	out, _ = run(t, 0, "migrate", "up", database)
	holds(t, out, "nothing to do")
	_, said = run(t, 1, "migrate", "down", "0", database)
	holds(t, said, "view public.mine")
	out, _ = run(t, 0, "migrate", "down", "0", "--recreate-dependents", database)
	holds(t, out, "The original has its tables back", "0 were written", "0 were lost")
	out, _ = run(t, 0, "migrate", "status", database)
	holds(t, out, "database of the original")
}
