package store_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// taken is true of the rows that are taken over, said once more.
const taken = "pipeline_id > 0 AND isfinite(created_at) AND duration IS NOT NULL AND duration_e2e IS NOT NULL"

// oldRows are the rows of each table that are taken over, as the view of its
// name is to show them; prefix is what stands before the table's name.
func oldRows(t testing.TB, db *sql.DB, prefix string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	ms := "date_trunc('milliseconds', created_at)"
	if prefix == "" {
		ms += " AT TIME ZONE 'UTC'"
	}
	all["metrics_pipeline"] = answer(t, db, "SELECT id, pipeline_id, project, duration, duration_e2e, "+ms+", is_master, has_restarts FROM metrics_pipeline WHERE "+taken+" ORDER BY id")
	for table, columns := range map[string]string{
		"metrics_build": "name, duration", "metrics_job_failed": "name, duration",
		"metrics_job": "name, duration_e2e, duration_up, duration_up_without_pull, duration_pull, duration",
	} {
		all[table] = answer(t, db, "SELECT id, pipeline_id, "+columns+" FROM "+table+" WHERE pipeline_id IN (SELECT pipeline_id FROM metrics_pipeline WHERE "+taken+") ORDER BY id")
	}
	return all
}

// everything is each row of the original's tables, and the tables themselves.
func everything(t testing.TB, db *sql.DB) []string {
	t.Helper()
	all := answer(t, db, `SELECT relname, relkind, relowner::regrole, relacl, pg_get_expr(adbin, adrelid) FROM pg_class c LEFT JOIN pg_attrdef ON adrelid = c.oid
		WHERE relnamespace = current_schema()::regnamespace ORDER BY 1`)
	all = append(all, answer(t, db, "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace ORDER BY 1")...)
	all = append(all, answer(t, db, "SELECT viewname, definition FROM pg_views WHERE schemaname = current_schema() ORDER BY 1")...)
	for _, table := range answer(t, db, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1") {
		all = append(all, table)
		all = append(all, answer(t, db, "SELECT r::text FROM "+table+" r ORDER BY 1")...)
	}
	return all
}

// At each revision: all rows show as they did, what stays is counted, the old
// tables are kept, and the way back leaves nothing behind.
func TestAdoption(t *testing.T) {
	t.Parallel()
	for _, revision := range revisions {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			database, db := originalAt(t, revision, awkwardRows, rowsOf(500, 3))
			before, all := oldRows(t, db, ""), everything(t, db)
			a := adopt(t, store.Config{Database: database})
			if diff := cmp.Diff(before, oldRows(t, db, "v")); diff != "" {
				t.Errorf("the views (-before +after):\n%s", diff)
			}
			if a.Revision != revision || a.Timezone != "UTC" || a.Newest.Format(time.RFC3339) != "2023-10-29T02:30:00Z" {
				t.Errorf("%+v", a)
			}
			want := []store.AdoptedTable{
				{Name: "metrics_pipeline", Rows: 513, Taken: 505, Left: []store.LeftRows{
					{Reason: "created_at is infinite", Rows: 1},
					{Reason: "created_at is null", Rows: 1},
					{Reason: "duration is null", Rows: 1},
					{Reason: "duration_e2e is null", Rows: 1},
					{Reason: "pipeline_id is less than 1", Rows: 2},
					{Reason: "pipeline_id is null", Rows: 2},
				}},
				{Name: "metrics_build", Rows: 498, Taken: 494, Left: []store.LeftRows{{Reason: "no pipeline of their number is taken over", Rows: 4}}},
				{Name: "metrics_job", Rows: 1505, Taken: 1504, Left: []store.LeftRows{{Reason: "no pipeline of their number is taken over", Rows: 1}}},
				{Name: "metrics_job_failed", Rows: 104, Taken: 102, Left: []store.LeftRows{{Reason: "no pipeline of their number is taken over", Rows: 2}}},
			}
			if diff := cmp.Diff(want, a.Tables); diff != "" {
				t.Errorf("the account (-want +got):\n%s", diff)
			}
			m := migrator(t, store.Config{Database: database})
			if done, err := m.Up(t.Context(), 0); err != nil || done.Adopted != nil || done.From != done.To {
				t.Errorf("a second run = %+v, %v", done, err)
			}
			done, err := m.Down(t.Context(), 0, store.DownOptions{})
			if err != nil || done.Returned == nil || *done.Returned != (store.Return{}) {
				t.Fatalf("Down = %+v, %v", done, err)
			}
			if diff := cmp.Diff(all, everything(t, db)); diff != "" {
				t.Errorf("after the way back (-before +after):\n%s", diff)
			}
			adopt(t, store.Config{Database: database})
			if diff := cmp.Diff(before, oldRows(t, db, "v")); diff != "" {
				t.Errorf("the views, the second time (-before +after):\n%s", diff)
			}
		})
	}
}

// facts are the rows of all facts, but for what differs by how they came.
func facts(t *testing.T, db *sql.DB) (all []string) {
	t.Helper()
	for _, table := range []string{"pipelines", "jobs", "steps", "phases"} {
		all = append(all, answer(t, db, "SELECT '"+table+"', to_jsonb(f) - 'row_id' - 'project_id' - 'revision', p.name FROM "+table+" f LEFT JOIN projects p ON p.id = f.project_id ORDER BY 2, 3")...)
	}
	return all
}

// What is derived of adopted rows equals what Save stores of the same reports.
func TestAdoptionStoresWhatSaveStores(t *testing.T) {
	t.Parallel()
	database, db := originalAt(t, "43eff8f33449")
	s := storetest.Open(t, storetest.Postgres(t))
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(all ...string) string { return all[random.IntN(len(all))] }
	for id := range int64(300) {
		r := ci.Report{Project: pick("acme/shop", "test/project", "a"), Pipeline: ci.Pipeline{ID: id + 1}, Legacy: &ci.Legacy{
			CreatedAt: time.UnixMilli(1_600_000_000_000 + random.Int64N(100_000_000_000)).UTC(), DurationS: float64(random.IntN(2000)), DurationE2eS: float64(random.IntN(900)),
			HasRestarts: new(random.IntN(2) == 0), OnDefaultBranch: new(random.IntN(2) == 0), ProjectNumber: int64(7 * random.IntN(2)),
		}}
		l := r.Legacy
		if random.IntN(5) == 0 {
			l.HasRestarts = nil
		}
		number := sql.NullInt64{Int64: l.ProjectNumber, Valid: l.ProjectNumber > 0}
		insert := func(text string, args ...any) {
			if _, err := db.ExecContext(t.Context(), text, args...); err != nil {
				t.Fatal(err)
			}
		}
		insert("INSERT INTO metrics_pipeline (pipeline_id, project, duration, duration_e2e, created_at, is_master, has_restarts, project_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			r.Pipeline.ID, r.Project, int(l.DurationS), int(l.DurationE2eS), l.CreatedAt, *l.OnDefaultBranch, l.HasRestarts, number)
		for range random.IntN(12) {
			e := ci.LegacyEntry{Kind: ci.LegacyKind(pick("build", "job", "failed")), Name: pick("e2e", "build-e2e", "e2e 2", "E2E"), DurationS: new(float64(random.IntN(500)))}
			l.Entries = append(l.Entries, e)
			table := map[ci.LegacyKind]string{"build": "metrics_build", "job": "metrics_job", "failed": "metrics_job_failed"}[e.Kind]
			if e.Kind != ci.LegacyJob {
				insert("INSERT INTO "+table+" (pipeline_id, name, duration) VALUES ($1, $2, $3)", r.Pipeline.ID, e.Name, int(*e.DurationS))
				continue
			}
			last := &l.Entries[len(l.Entries)-1]
			last.UpS, last.E2eS = new(float64(random.IntN(50))), new(float64(random.IntN(50)))
			if random.IntN(2) == 0 {
				last.PullS, last.UpNoPullS = new(float64(random.IntN(50))), new(float64(random.IntN(50)))
			}
			insert("INSERT INTO metrics_job (pipeline_id, name, duration, duration_up, duration_e2e, duration_pull, duration_up_without_pull) VALUES ($1, $2, $3, $4, $5, $6, $7)",
				r.Pipeline.ID, e.Name, int(*e.DurationS), last.UpS, last.E2eS, last.PullS, last.UpNoPullS)
		}
		save(t, s, r)
	}
	adopt(t, store.Config{Database: database})
	var want []string
	for _, table := range []string{"pipelines", "jobs", "steps", "phases"} {
		for _, row := range storetest.Table(t, s, "SELECT '"+table+"', (to_jsonb(f) - 'row_id' - 'project_id' - 'revision')::text, p.name FROM "+table+" f LEFT JOIN projects p ON p.id = f.project_id ORDER BY to_jsonb(f) - 'row_id' - 'project_id' - 'revision', 3") {
			want = append(want, fmt.Sprint(row[0], " | ", row[1], " | ", row[2]))
		}
	}
	if diff := cmp.Diff(want, facts(t, db)); diff != "" {
		t.Errorf("(-saved +adopted):\n%.6000s", diff)
	}
	if len(want) < 2000 {
		t.Errorf("only %d rows: too few to say anything", len(want))
	}
}

// A word about an adopted pipeline derives all of its rows again; but for that
// word they must be as the adoption made them, nulls and runners too.
func TestAdoptedRowsAreAsDerived(t *testing.T) {
	t.Parallel()
	database, db := originalAt(t, "a1b2c3d4e5f6", awkwardRows, rowsOf(30, 3), `
		INSERT INTO metrics_job_runner (pipeline_id, job_name, system_id, queued_duration) VALUES (1, 'e2e 1', 's_1', 2.5), (1, 'e2e 2', '', NULL), (2, 'e2e 2', NULL, 0.0015),
			(3, 'build-e2e', 's_2', 9), (4, 'nobody', 's_3', 1), (5, 'e2e 1', 's_4', -1), (900012, 'e2e', 's_5', 'NaN'), (424242, 'e2e', 's_6', 1)`)
	adopt(t, store.Config{Database: database})
	if diff := cmp.Diff([]string{"1 | legacy:job:0 | s_1 | 2500", "2 | legacy:job:1 | ∅ | 2", "5 | legacy:job:0 | s_4 | ∅", "900012 | legacy:job:0 | s_5 | ∅"},
		answer(t, db, "SELECT pipeline_id, attempt_key, runner_id, queue_ms FROM jobs WHERE runner_id IS NOT NULL OR queue_ms IS NOT NULL ORDER BY 1")); diff != "" {
		t.Errorf("runners (-want +got):\n%s", diff)
	}
	before := facts(t, db)
	s := storetest.Open(t, database)
	for _, row := range answer(t, db, "SELECT p.id, pr.name FROM pipelines p JOIN projects pr ON pr.id = p.project_id WHERE pr.name IS NOT NULL") {
		number, name, _ := strings.Cut(row, " | ")
		var id int64
		if _, err := fmt.Sscan(number, &id); err != nil {
			t.Fatal(err)
		}
		if got := save(t, s, ci.Report{Project: name, Source: ci.API, Pipeline: ci.Pipeline{ID: id, ChangeID: "17"}}); got != store.Merged {
			t.Fatalf("pipeline %d: %v", id, got)
		}
	}
	if got := answer(t, db, "SELECT count(*) FROM pipelines WHERE change_id IS NULL"); got[0] != "1" { // of no project: nobody can speak of it
		t.Errorf("%s pipelines were not rewritten", got)
	}
	must(t, db, "UPDATE pipelines SET change_id = NULL, ranks = NULL")
	if diff := cmp.Diff(before, facts(t, db)); diff != "" {
		t.Errorf("(-adopted +derived):\n%.6000s", diff)
	}
}

// What the later revisions know of projects is known here, too.
func TestAdoptionOfProjects(t *testing.T) {
	t.Parallel()
	database, db := originalAt(t, "43eff8f33449", rowsOf(5, 1), `INSERT INTO project VALUES (8, 'only/here', 'DEPRECATED', 'P2', 1), (9, 'only/here', 'ACTIVE', 'P1', 1);
		INSERT INTO project_job (name, project_id) VALUES ('e2e 1', 7), ('"e2e" 2', 7); INSERT INTO project_schedule (name, is_active, project_id) VALUES ('nightly', true, 7), ('weekly', false, 7);
		INSERT INTO project_package (name, version, project_id) VALUES ('cypress', '13.1', 7), ('playwright', '1.40', 7)`)
	kept := answer(t, db, "SELECT * FROM project_job")
	adopt(t, store.Config{Database: database})
	s := storetest.Open(t, database)
	for _, want := range []store.Project{
		{Name: "acme/shop", ToldTeam: "web", Number: 7, E2eJobs: []string{"e2e 1", `"e2e" 2`}, Schedules: []ci.Schedule{{Name: "nightly", IsActive: true}, {Name: "weekly"}}, Packages: map[string]string{"cypress": "13.1", "playwright": "1.40"}},
		{Name: "only/here", ToldTeam: "web", Number: 9},
		{Name: "group/p1"},
	} {
		got, err := s.Project(t.Context(), want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID = 0; !cmp.Equal(want, got) {
			t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
		}
	}
	if diff := cmp.Diff(kept, answer(t, db, "SELECT * FROM project_job")); diff != "" {
		t.Errorf("project_job has changed:\n%s", diff)
	}
}

// The seed's three queries, as Grafana expands them.
func seedQueries() []string {
	const where = " WHERE created_at BETWEEN '2022-12-31T12:00:00Z' AND '2023-01-20T12:00:00Z' AND mp.project = 'acme/shop' AND mp.is_master = true"
	const percentiles = "SELECT PERCENTILE_CONT(0.5) WITHIN GROUP(ORDER by %[1]s) as p50, PERCENTILE_CONT(0.80) WITHIN GROUP(ORDER by %[1]s) as p80, PERCENTILE_CONT(0.95) WITHIN GROUP(ORDER by %[1]s) as p95 FROM (SELECT created_at AS \"time\", %[2]s as %[1]s FROM metrics_pipeline mp LEFT JOIN metrics_build mb ON mb.pipeline_id = mp.pipeline_id" + where + "%[3]s GROUP BY time, mp.duration, mp.duration_e2e ORDER BY 1) as data"
	return []string{
		"SELECT count(*) FROM metrics_pipeline mp" + where,
		fmt.Sprintf(percentiles, "total", "mp.duration - mp.duration_e2e", ""),
		fmt.Sprintf(percentiles, "total_e2e", "mp.duration_e2e", " AND mp.has_restarts = false"),
	}
}

// 20,000 pipelines: the seed's queries give the same digits, to a role that
// may only read, and the three replicas that started at once did it once.
func TestAdoptionByReplicasUnderAReader(t *testing.T) {
	t.Parallel()
	database, db := originalAt(t, "5684fb25dcfd", rowsOf(20_000, 1))
	reader := "reader_" + database[strings.LastIndex(database, "/")+1:][5:15]
	must(t, db, "CREATE ROLE "+reader)
	t.Cleanup(func() { dropRole(t, database, reader) })
	must(t, db, "GRANT USAGE ON SCHEMA public TO "+reader+"; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+reader+" WITH GRANT OPTION; GRANT SELECT (name) ON metrics_build TO PUBLIC")
	ask := func() (all []string) {
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, q := range append([]string{"SET ROLE " + reader}, seedQueries()...) {
			rows, err := c.QueryContext(t.Context(), q)
			if err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			defer rows.Close()
			for rows.Next() {
				var cells [3]sql.NullString
				columns, _ := rows.Columns()
				if err := rows.Scan([]any{&cells[0], &cells[1], &cells[2]}[:len(columns)]...); err != nil {
					t.Fatal(err)
				}
				all = append(all, fmt.Sprint(cells))
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
		}
		_, err = c.ExecContext(t.Context(), "RESET ROLE")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	const grants = `SELECT replace(c.relname, 'legacy_', ''), a.grantee::regrole, a.privilege_type, a.is_grantable FROM pg_class c, aclexplode(relacl) a
		WHERE relname ~ $1 AND relkind IN ('r', 'v') AND a.grantee <> c.relowner ORDER BY 1, 2, 3`
	before, granted := ask(), answer(t, db, grants, "^metrics_")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			s, err := store.Open(t.Context(), store.Config{Database: database})
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(before, ask()); diff != "" || len(before) != 3 || before[0] == "[{0 true} { false} { false}]" {
		t.Errorf("the seed's queries, of %v (-before +after):\n%s", before, diff)
	}
	if diff := cmp.Diff(granted, answer(t, db, grants, "^metrics_")); diff != "" || len(granted) != 4 {
		t.Errorf("grants, of %v (-before +after):\n%s", granted, diff)
	}
	if got := answer(t, db, "SELECT has_column_privilege('public', 'metrics_build', 'name', 'SELECT'), has_column_privilege('public', 'metrics_build', 'duration', 'SELECT')"); got[0] != "true | false" {
		t.Errorf("PUBLIC may read name, duration of metrics_build: %s", got)
	}
}

func dropRole(t *testing.T, database, role string) {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
		if _, err := db.Exec(statement); err != nil {
			t.Error(err)
		}
	}
}

// Views keep their owner, who needs not be the one who migrates.
func TestAdoptionKeepsTheOwner(t *testing.T) {
	t.Parallel()
	database, db := originalAt(t, "5684fb25dcfd", rowsOf(10, 1))
	owner := "owner_" + database[strings.LastIndex(database, "/")+1:][5:15]
	must(t, db, "CREATE ROLE "+owner)
	t.Cleanup(func() { dropRole(t, database, owner) })
	for _, table := range slices.Sorted(func(yield func(string) bool) {
		for table := range originalColumns {
			if !yield(table) {
				return
			}
		}
	}) {
		must(t, db, "ALTER TABLE "+table+" OWNER TO "+owner)
	}
	adopt(t, store.Config{Database: database})
	const query = "SELECT count(*), string_agg(DISTINCT c.relowner::regrole::text, ' ') FROM pg_class c WHERE relname ~ '^metrics_' AND relkind = 'v'"
	if got := answer(t, db, query); got[0] != "4 | "+owner {
		t.Errorf("views and their owners: %s", got)
	}
	must(t, db, "GRANT USAGE ON SCHEMA public TO "+owner)
	must(t, db, "SET ROLE "+owner+"; SELECT * FROM metrics_pipeline, metrics_job, metrics_build, metrics_job_failed; RESET ROLE")
}

// A takeover runs all migrations in its own transaction, and cuts their files
// in halves by itself.
func TestMigrationsCanShareATransaction(t *testing.T) {
	t.Parallel()
	for _, m := range migrations(t, "postgres") {
		if strings.Contains(m.up, "NO TRANSACTION") || strings.Contains(strings.ToUpper(m.up), " CONCURRENTLY ") {
			t.Errorf("%s can't run in a transaction", m.name)
		}
		if strings.Count(m.up, "-- +goose Up\n") != 1 {
			t.Errorf("%s has no line that is -- +goose Up alone", m.name)
		}
	}
}
