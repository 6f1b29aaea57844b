package store_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

var update = flag.Bool("update", false, "accept the scripts as they are now")

func scriptOf(t *testing.T, database string, by store.ShardKey) string {
	t.Helper()
	script, err := migrator(t, store.Config{Database: database}).ShardScript(t.Context(), by, 8)
	if err != nil {
		t.Fatal(err)
	}
	return script
}

func TestShardScript(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	storetest.Open(t, database)
	for _, by := range []store.ShardKey{store.ShardByProject, store.ShardByPipeline} {
		got, golden := scriptOf(t, database, by), filepath.Join("testdata", "shard-"+string(by)+".sql")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", by, diff)
		}
	}
}

// Citus in small, for a plain PostgreSQL: it writes down what it is asked, and
// refuses what Citus refuses.
const citusInSmall = `
CREATE TABLE calls (n serial, call text, transaction xid8 DEFAULT pg_current_xact_id());
CREATE FUNCTION create_reference_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO calls (call) VALUES (format('%s everywhere', t));
END $$;
CREATE FUNCTION create_distributed_table(t regclass, by_column text, kind text DEFAULT 'hash', colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('citus.multi_shard_modify_mode', true) IS DISTINCT FROM 'sequential' THEN
		RAISE 'cannot modify table "%" because there was a parallel operation on a distributed table in the transaction', t;
	END IF;
	IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND t IN (conrelid, confrelid)) THEN
		RAISE 'cannot create foreign key constraint since foreign keys from reference tables and local tables to distributed tables are not supported';
	END IF;
	IF EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t AND i.indisunique AND NOT EXISTS
		(SELECT FROM pg_attribute a WHERE a.attrelid = t AND a.attname = by_column AND a.attnum = ANY (i.indkey))) THEN
		RAISE 'creating unique indexes on non-partition columns is currently unsupported';
	END IF;
	INSERT INTO calls (call) VALUES (format('%s by %s beside %s in %s', t, by_column, colocate_with, shard_count));
END $$;
CREATE FUNCTION truncate_local_data_after_distributing_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO calls (call) VALUES (format('%s freed', t));
END $$;`

const allConstraints = `SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) FROM pg_constraint
	WHERE connamespace = current_schema()::regnamespace AND conrelid <> 0 ORDER BY 1, 2`

// openBoth opens a PostgreSQL database as a store, with a small pipeline and a
// posted report in it, and as itself.
func openBoth(t *testing.T) (database string, s *store.Store, db *sql.DB) {
	t.Helper()
	database = storetest.Postgres(t)
	s = storetest.Open(t, database)
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	save(t, s, told(1))
	save(t, s, posted(2))
	return database, s, db
}

func run(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

func TestShardRunsInOneTransaction(t *testing.T) {
	t.Parallel()
	for by, want := range map[store.ShardKey][][]any{
		store.ShardByProject: {
			{"projects everywhere"},
			{"pipelines by project_id beside default in 8"},
			{"days by project_id beside pipelines in "},
			{"jobs by project_id beside pipelines in "},
			{"notes by project_id beside pipelines in "},
			{"phases by project_id beside pipelines in "},
			{"steps by project_id beside pipelines in "},
			{"volumes by project_id beside pipelines in "},
			{"pipelines freed"},
			{"days freed"},
			{"jobs freed"},
			{"notes freed"},
			{"phases freed"},
			{"steps freed"},
			{"volumes freed"},
			{"projects freed"},
		},
		store.ShardByPipeline: {
			{"projects everywhere"},
			{"pipelines by id beside default in 8"},
			{"days by project_id beside none in 8"},
			{"jobs by pipeline_id beside pipelines in "},
			{"notes by pipeline_id beside pipelines in "},
			{"phases by pipeline_id beside pipelines in "},
			{"steps by pipeline_id beside pipelines in "},
			{"volumes by project_id beside none in 8"},
			{"pipelines freed"},
			{"days freed"},
			{"jobs freed"},
			{"notes freed"},
			{"phases freed"},
			{"steps freed"},
			{"volumes freed"},
			{"projects freed"},
		},
	} {
		t.Run(string(by), func(t *testing.T) {
			t.Parallel()
			database, s, db := openBoth(t)
			// What later migrations may add: a fact beside our roll-up over many pipelines, and
			// what is none, though it has the column.
			newTable, newBlock := pageTable(t)
			run(t, db, newTable+newBlock+"CREATE TABLE legacy (id BIGINT PRIMARY KEY, project_id BIGINT)")
			run(t, db, citusInSmall)
			constraints, jobs := storetest.Table(t, s, allConstraints), storetest.Table(t, s, "SELECT * FROM jobs ORDER BY project_id, pipeline_id, attempt_key")
			if err := migrator(t, store.Config{Database: database}).Shard(t.Context(), by, 8); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, storetest.Table(t, s, "SELECT call FROM calls ORDER BY n")); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([][]any{{int64(1)}}, storetest.Table(t, s, "SELECT count(DISTINCT transaction) FROM calls WHERE call NOT LIKE '% freed'")); diff != "" {
				t.Errorf("transactions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(constraints, storetest.Table(t, s, allConstraints)); diff != "" {
				t.Errorf("constraints (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(jobs, storetest.Table(t, s, "SELECT * FROM jobs ORDER BY project_id, pipeline_id, attempt_key")); diff != "" {
				t.Errorf("jobs (-before +after):\n%s", diff)
			}
			stillWorks(t, s)
		})
	}
}

// stillWorks saves and merges.
func stillWorks(t *testing.T, s *store.Store) {
	t.Helper()
	if got := save(t, s, posted(2)); got != store.Unchanged {
		t.Errorf("a known report is %v", got)
	}
	if got := save(t, s, told(3)); got != store.Created {
		t.Errorf("a new pipeline is %v", got)
	}
	more := told(1)
	more.Jobs = append(more.Jobs, ci.Attempt{ID: "4", Name: "deploy", State: ci.Queued})
	if got := save(t, s, more); got != store.Merged {
		t.Errorf("a known pipeline is %v", got)
	}
}

// The printed script does what Shard does.
func TestShardScriptRuns(t *testing.T) {
	t.Parallel()
	database, s, db := openBoth(t)
	run(t, db, citusInSmall)
	constraints := storetest.Table(t, s, allConstraints)
	run(t, db, scriptOf(t, database, store.ShardByPipeline))
	if diff := cmp.Diff(constraints, storetest.Table(t, s, allConstraints)); diff != "" {
		t.Errorf("constraints (-before +after):\n%s", diff)
	}
	if got := storetest.Table(t, s, "SELECT 1 FROM calls"); len(got) != 14 {
		t.Errorf("%d calls, want 14", len(got))
	}
	stillWorks(t, s)
}

func TestShardThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	database, s, db := openBoth(t)
	run(t, db, citusInSmall)
	run(t, db, "CREATE UNIQUE INDEX steps_odd ON steps (name)")
	constraints := storetest.Table(t, s, allConstraints)
	err := migrator(t, store.Config{Database: database}).Shard(t.Context(), store.ShardByProject, 8)
	if err == nil || !strings.Contains(err.Error(), "'steps'") || !strings.Contains(err.Error(), "nothing has changed") {
		t.Errorf("Shard = %v, want the statement and that nothing has changed", err)
	}
	if diff := cmp.Diff(constraints, storetest.Table(t, s, allConstraints)); diff != "" {
		t.Errorf("constraints (-before +after):\n%s", diff)
	}
	if got := storetest.Table(t, s, "SELECT 1 FROM calls"); got != nil {
		t.Error("part of the work stayed")
	}
}

func TestShardRefuses(t *testing.T) {
	t.Parallel()
	if _, err := migrator(t, store.Config{Database: storetest.SQLite(t)}).ShardScript(t.Context(), store.ShardByProject, 8); err == nil || !strings.Contains(err.Error(), "PostgreSQL") {
		t.Errorf("SQLite: %v", err)
	}
	if _, err := migrator(t, store.Config{Database: storetest.Postgres(t)}).ShardScript(t.Context(), store.ShardByProject, 8); err == nil || !strings.Contains(err.Error(), "migrate up") {
		t.Errorf("an empty database: %v", err)
	}
	database, _, db := openBoth(t)
	if err := migrator(t, store.Config{Database: database}).Shard(t.Context(), store.ShardByProject, 8); !errors.Is(err, store.ErrNoCitus) {
		t.Errorf("without Citus: %v, want ErrNoCitus", err)
	}
	for _, c := range []struct {
		change, want string
		by           store.ShardKey
		shards       int
	}{
		{"", `not by "day"`, "day", 8},
		{"", "from 1 to 1024", store.ShardByProject, 0},
		{"", "from 1 to 1024", store.ShardByProject, 1025},
		{"CREATE TABLE mine (p BIGINT, i BIGINT, CONSTRAINT a FOREIGN KEY (p, i) REFERENCES pipelines (project_id, id))", "the foreign key a of mine", store.ShardByProject, 8},
		{"DROP TABLE mine; CREATE TABLE teams (id BIGINT PRIMARY KEY); ALTER TABLE jobs ADD team BIGINT CONSTRAINT b REFERENCES teams (id)", "the foreign key b of jobs", store.ShardByProject, 8},
	} {
		run(t, db, c.change)
		if _, err := migrator(t, store.Config{Database: database}).ShardScript(t.Context(), c.by, c.shards); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ShardScript = %v, want %q", err, c.want)
		}
	}
}
