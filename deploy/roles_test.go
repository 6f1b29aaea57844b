package deploy_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// roles are made by the two scripts in an empty database, with names of their
// own: roles belong to the whole server.
type roles struct {
	admin, collector, reader string // addresses of the database
	name                     string // of the reader
}

func makeRoles(t *testing.T) roles {
	t.Helper()
	suffix := strings.ToLower(rand.Text()[:10])
	collector, reader := "pmc_"+suffix, "reader_"+suffix
	t.Cleanup(func() { // after the database is gone
		if t.Skipped() {
			return
		}
		db := open(t, os.Getenv(storetest.Env))
		for _, role := range []string{reader, collector} {
			if _, err := db.ExecContext(context.Background(), "DROP ROLE IF EXISTS "+role); err != nil {
				t.Error(err)
			}
		}
	})
	admin := storetest.Postgres(t)
	psql(t, admin, "collector.sql", "-v", "collector="+collector)
	psql(t, admin, "grafana_reader.sql", "-v", "reader="+reader)
	return roles{admin, as(t, admin, collector, "it's 1"), as(t, admin, reader, `"2"`), reader}
}

// psql runs a script as the image of PostgreSQL does when it first starts.
func psql(t *testing.T, database, script string, args ...string) {
	t.Helper()
	program := filepath.Join(os.Getenv("PMC_TEST_POSTGRES_BIN"), "psql")
	if _, err := os.Stat(program); err != nil {
		program = "psql"
	}
	args = append([]string{"-X", "-q", "-d", database, "-f", filepath.Join("postgres", script)}, args...)
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "COLLECTOR_DB_PASSWORD=it's 1", `GRAFANA_DB_PASSWORD="2"`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func as(t *testing.T, database, role, password string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, password)
	return u.String()
}

func open(t *testing.T, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func do(t *testing.T, database, statement string) {
	t.Helper()
	if _, err := open(t, database).ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
}

// names are the answers of a query with one column.
func names(t *testing.T, database, query string) []string {
	t.Helper()
	rows, err := open(t, database).QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// may tells whether the statement runs, or is refused for lack of rights.
func may(t *testing.T, database, statement string) bool {
	t.Helper()
	db := open(t, database)
	defer db.Close() // the role may have 20 connections
	_, err := db.ExecContext(t.Context(), statement)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42501" {
		return false
	}
	if err != nil {
		t.Errorf("%v\n%s", err, statement)
	}
	return true
}

func TestGrafanaReadsTheViewsAndNothingElse(t *testing.T) {
	t.Parallel()
	r := makeRoles(t)
	storetest.Open(t, r.collector) // makes tables and views, as the collector's role
	relations := names(t, r.admin, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p') ORDER BY relname")
	var read []string
	for _, name := range relations {
		if may(t, r.reader, "SELECT * FROM "+name) {
			read = append(read, name)
		}
	}
	want := []string{
		"ci_jobs", "ci_phases", "ci_pipelines", "ci_projects", "ci_steps",
		"metrics_build", "metrics_job", "metrics_job_failed", "metrics_pipeline",
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("of %q the reader reads (-want +got):\n%s", relations, diff)
	}
	if len(relations) == len(read) {
		t.Error("there is no table that it could be kept from")
	}
	for _, statement := range []string{"CREATE TABLE public.mine (x int)", "SELECT pg_read_file('/etc/passwd')", "DELETE FROM pipelines"} {
		if may(t, with(t, r.reader, "default_transaction_read_only", "off"), statement) {
			t.Errorf("the reader may: %s", statement)
		}
	}
	if diff := cmp.Diff([]string{"30s"}, names(t, r.reader, "SHOW statement_timeout")); diff != "" {
		t.Errorf("statement_timeout (-want +got):\n%s", diff)
	}
}

// with adds a setting of the session to an address.
func with(t *testing.T, database, setting, value string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(setting, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// Views of later versions, and views that a migration makes anew, are read too:
// nobody has to think of Grafana on an upgrade.
func TestGrafanaReadsViewsThatComeLater(t *testing.T) {
	t.Parallel()
	r := makeRoles(t)
	do(t, r.collector, "CREATE TABLE secrets (x int); CREATE VIEW ci_later AS SELECT x FROM secrets; CREATE VIEW theirs AS SELECT x FROM secrets")
	if !may(t, r.reader, "SELECT * FROM ci_later") {
		t.Error("the reader can't read a view that came later")
	}
	do(t, r.collector, "DROP VIEW ci_later; CREATE VIEW ci_later AS SELECT x + 1 AS x FROM secrets")
	if !may(t, r.reader, "SELECT * FROM ci_later") {
		t.Error("the reader can't read a view that was made anew")
	}
	for _, other := range []string{"secrets", "theirs"} {
		if may(t, r.reader, "SELECT * FROM "+other) {
			t.Errorf("the reader reads %s", other)
		}
	}
	psql(t, r.admin, "grafana_reader.sql", "-v", "reader="+r.name) // again
	do(t, r.admin, "DROP OWNED BY "+r.name+"; DROP ROLE "+r.name)
	do(t, r.collector, "CREATE VIEW ci_last AS SELECT 1 AS x") // a migration goes on without the role
}

// A role that may only make roles grants what there is, and runs it again later.
func TestGrafanaReaderWithoutSuperuser(t *testing.T) {
	t.Parallel()
	r := makeRoles(t)
	do(t, r.admin, "DROP EVENT TRIGGER grant_views_to_reader; DROP FUNCTION grant_views_to_reader()")
	do(t, r.admin, "ALTER ROLE "+strings.Replace(r.name, "reader_", "pmc_", 1)+" CREATEROLE")
	do(t, r.collector, "CREATE VIEW ci_later AS SELECT 1 AS x")
	if may(t, r.reader, "SELECT * FROM ci_later") {
		t.Error("something else granted the view")
	}
	psql(t, r.collector, "grafana_reader.sql", "-v", "reader="+r.name)
	if !may(t, r.reader, "SELECT * FROM ci_later") {
		t.Error("the reader can't read the view")
	}
}
