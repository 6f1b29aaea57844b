package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Whatever stops it says what to do and changes nothing.
func TestAdoptionStops(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fill   string
		config store.Config
		want   []string
		locks  bool // the reason is not there for one who only looks
	}{
		"another revision":  {fill: "UPDATE alembic_version SET version_num = 'f2bc6356ddbf'", want: []string{"f2bc6356ddbf", "5684fb25dcfd", "search_path"}},
		"no revision":       {fill: "DELETE FROM alembic_version", want: []string{"no revision"}},
		"two revisions":     {fill: "INSERT INTO alembic_version VALUES ('43eff8f33449')", want: []string{"5684fb25dcfd, 43eff8f33449"}},
		"a column is gone":  {fill: "ALTER TABLE metrics_job DROP duration_pull", want: []string{"metrics_job.duration_pull"}},
		"a table is gone":   {fill: "DROP TABLE metrics_build", want: []string{"metrics_build."}},
		"the future":        {fill: "INSERT INTO metrics_pipeline (pipeline_id, duration, duration_e2e, created_at) VALUES (1, 1, 1, now() AT TIME ZONE 'UTC' + interval '1 h')", want: []string{"future", "time zone UTC", "--legacy-timezone"}},
		"the wrong zone":    {fill: "INSERT INTO metrics_pipeline (pipeline_id, duration, duration_e2e, created_at) VALUES (1, 1, 1, now() AT TIME ZONE 'UTC' - interval '1 h')", config: store.Config{LegacyTimezone: "America/New_York"}, want: []string{"future", "America/New_York"}},
		"no zone":           {config: store.Config{LegacyTimezone: "Middle/Earth'"}, want: []string{`"Middle/Earth'"`, "Europe/Berlin"}},
		"equal numbers":     {fill: "ALTER TABLE metrics_pipeline DROP CONSTRAINT metrics_pipeline_pipeline_id_key; INSERT INTO metrics_pipeline (pipeline_id) VALUES (1), (1), (1)", want: []string{"2 rows"}},
		"views":             {fill: "CREATE VIEW slow AS SELECT * FROM metrics_pipeline; CREATE MATERIALIZED VIEW slower AS SELECT id FROM slow", want: []string{"\n  view public.slow\n  materialized view public.slower", "--recreate-dependents"}},
		"a function":        {fill: "CREATE VIEW slow AS SELECT * FROM metrics_build; CREATE FUNCTION f() RETURNS SETOF slow LANGUAGE sql AS 'SELECT * FROM slow'", config: store.Config{RecreateDependents: true}, want: []string{"function f() (can't be made again"}},
		"a row type":        {fill: "CREATE TABLE mine (p metrics_pipeline)", config: store.Config{RecreateDependents: true}, want: []string{"column p of table mine"}},
		"a foreign key":     {fill: "CREATE TABLE mine (p int REFERENCES metrics_pipeline (pipeline_id))", config: store.Config{RecreateDependents: true}, want: []string{"mine_p_fkey"}},
		"a child":           {fill: "CREATE TABLE mine () INHERITS (metrics_job)", config: store.Config{RecreateDependents: true}, want: []string{"table mine"}},
		"a trigger":         {fill: "CREATE TRIGGER mine BEFORE UPDATE ON metrics_job FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()", config: store.Config{RecreateDependents: true}, want: []string{"trigger mine"}},
		"a policy":          {fill: "ALTER TABLE metrics_job ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON metrics_job USING (true)", config: store.Config{RecreateDependents: true}, want: []string{"policy mine"}},
		"a rule":            {fill: "CREATE RULE mine AS ON DELETE TO metrics_job DO INSTEAD NOTHING", config: store.Config{RecreateDependents: true}, want: []string{"rule mine"}},
		"a table of ours":   {fill: "CREATE TABLE jobs (id int)", want: []string{`"jobs" already exists`, "nothing has changed"}, locks: true},
		"a table in use":    {fill: "SELECT 1", want: []string{"in use", "Nothing has changed"}, locks: true},
		"a view that can't": {fill: "CREATE VIEW mine AS SELECT created_at::timestamp + id * '1 s'::interval AS a, tableoid FROM metrics_pipeline", config: store.Config{RecreateDependents: true}, want: []string{"view public.mine", "nothing has changed"}, locks: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database, db := originalAt(t, "5684fb25dcfd", c.fill)
			before := everything(t, db)
			c.config.Database = with(t, database, "lock_timeout", "300")
			if name == "a table in use" {
				tx, err := db.Begin()
				if err != nil {
					t.Fatal(err)
				}
				defer tx.Rollback()
				if _, err := tx.Exec("INSERT INTO metrics_build (id) VALUES (1)"); err != nil {
					t.Fatal(err)
				}
			}
			m := migrator(t, c.config)
			_, planned := m.Plan(t.Context(), 0)
			_, err := m.Up(t.Context(), 0)
			if err == nil || (planned == nil) != c.locks {
				t.Fatalf("Up = %v, Plan = %v, want both to stop", err, planned)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) || planned != nil && !strings.Contains(planned.Error(), want) {
					t.Errorf("Up = %v\nPlan = %v\nwant %q in them", err, planned, want)
				}
			}
			if diff := cmp.Diff(before, everything(t, db)); diff != "" {
				t.Errorf("something has changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestAdoptionOfAPart(t *testing.T) {
	t.Parallel()
	database, _ := originalAt(t, "5684fb25dcfd")
	m := migrator(t, store.Config{Database: database})
	var schema *store.SchemaError
	if _, err := m.Up(t.Context(), 1); !errors.As(err, &schema) || !strings.Contains(err.Error(), "leave the version out") {
		t.Errorf("Up(1) = %v", err)
	}
	if _, err := m.Plan(t.Context(), 1); !errors.As(err, &schema) {
		t.Errorf("Plan(1) = %v", err)
	}
	if _, err := store.Open(t.Context(), store.Config{Database: database, Migrate: "check"}); !errors.As(err, &schema) || !strings.Contains(err.Error(), "--dry-run") {
		t.Errorf("Open with check = %v", err)
	}
	if status, err := m.Status(t.Context()); err != nil || !status.Original || status.Version != 0 {
		t.Errorf("Status = %+v, %v", status, err)
	}
	plan, err := m.Plan(t.Context(), 0)
	if err != nil || plan.Adoption == nil || plan.Adoption.Revision != "5684fb25dcfd" || len(plan.Pending) == 0 || !plan.Adoption.Newest.IsZero() {
		t.Errorf("Plan = %+v, %v", plan, err)
	}
}

// created_at is read in the zone of the server, or in that which is said, with
// its summer time; the way back writes it in the same.
func TestAdoptionReadsTheZone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ alter, say string }{"the server's": {alter: "Europe/Berlin"}, "said": {alter: "Asia/Tokyo", say: "Europe/Berlin"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database, db := originalAt(t, "5684fb25dcfd", "INSERT INTO metrics_pipeline (pipeline_id, project, duration, duration_e2e, created_at) VALUES (1, 'a', 1, 1, '2023-07-01 12:00:00.25'), (2, 'a', 1, 1, '2023-12-01 12:00')")
			must(t, db, "ALTER DATABASE "+database[strings.LastIndex(database, "/")+1:strings.Index(database+"?", "?")]+" SET timezone = '"+c.alter+"'")
			a := adopt(t, store.Config{Database: database, LegacyTimezone: c.say})
			if a.Timezone != "Europe/Berlin" || a.Newest.Format(time.RFC3339) != "2023-12-01T11:00:00Z" {
				t.Errorf("%+v", a)
			}
			if diff := cmp.Diff([]string{"1688205600250", "1701428400000"}, answer(t, db, "SELECT created_ms FROM pipelines ORDER BY id")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			s := storetest.Open(t, database)
			r := posted(3)
			r.Legacy.CreatedAt = time.Date(2024, 7, 1, 10, 0, 0, 0, time.UTC)
			save(t, s, r)
			down(t, database, store.DownOptions{})
			if got := answer(t, db, "SELECT created_at FROM metrics_pipeline WHERE pipeline_id = 3"); got[0] != "2024-07-01T12:00:00Z" {
				t.Errorf("written back as %s", got)
			}
		})
	}
}

func TestAdoptionOfInstants(t *testing.T) {
	t.Parallel()
	database, db := originalAt(t, "5684fb25dcfd", "ALTER TABLE metrics_pipeline ALTER created_at TYPE timestamptz; INSERT INTO metrics_pipeline (pipeline_id, project, duration, duration_e2e, created_at) VALUES (1, 'a', 1, 1, '2023-07-01 12:00:00+02')")
	if a := adopt(t, store.Config{Database: database, LegacyTimezone: "Asia/Tokyo"}); a.Timezone != "" || a.Newest.Format(time.RFC3339) != "2023-07-01T10:00:00Z" {
		t.Errorf("%+v", a)
	}
	down(t, database, store.DownOptions{})
	if got := answer(t, db, "SELECT created_at = '2023-07-01 10:00Z' FROM metrics_pipeline"); got[0] != "true" {
		t.Errorf("%s", got)
	}
}

func down(t *testing.T, database string, options store.DownOptions) *store.Return {
	t.Helper()
	done, err := migrator(t, store.Config{Database: database, RecreateDependents: true}).Down(t.Context(), 0, options)
	if err != nil || done.Returned == nil {
		t.Fatalf("Down = %+v, %v", done, err)
	}
	return done.Returned
}

// Views of others over the original's tables show what they showed, with their
// owners and grants, there and back.
func TestAdoptionDefinesViewsAgain(t *testing.T) {
	t.Parallel()
	database, db := originalAt(t, "5684fb25dcfd", rowsOf(50, 2), `CREATE SCHEMA "My reports";
		CREATE VIEW "My reports"."Slow ones" (number, "how long") WITH (security_barrier=true) AS SELECT pipeline_id, duration FROM metrics_pipeline WHERE duration > 500;
		CREATE VIEW slowest AS SELECT s.number, b.name, b.duration FROM "My reports"."Slow ones" s JOIN metrics_build b ON b.pipeline_id = s.number ORDER BY 1 LIMIT 5;
		CREATE MATERIALIZED VIEW per_day AS SELECT date_trunc('day', created_at AT TIME ZONE 'UTC') AS day, count(*) AS pipelines FROM metrics_pipeline JOIN slowest ON number = pipeline_id GROUP BY 1;
		CREATE UNIQUE INDEX per_day_by_day ON per_day (day);
		COMMENT ON VIEW slowest IS 'it''s slow'; GRANT SELECT ON slowest TO PUBLIC`)
	look := func() (all []string) {
		for _, q := range []string{
			`SELECT * FROM "My reports"."Slow ones" ORDER BY 1`, "SELECT * FROM slowest", "SELECT pipelines FROM per_day ORDER BY 1", "SELECT obj_description('slowest'::regclass)",
			"SELECT relname, relkind, relacl, relowner, reloptions FROM pg_class WHERE relname IN ('Slow ones', 'slowest', 'per_day', 'per_day_by_day') ORDER BY 1",
			"SELECT indexdef FROM pg_indexes WHERE indexname = 'per_day_by_day'",
		} {
			all = append(all, answer(t, db, q)...)
		}
		return all
	}
	before := look()
	a := adopt(t, store.Config{Database: database, RecreateDependents: true})
	if diff := cmp.Diff([]string{`view "My reports"."Slow ones"`, "view public.slowest", "materialized view public.per_day"}, a.Dependents); diff != "" {
		t.Errorf("dependents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, look()); diff != "" || len(before) < 20 {
		t.Errorf("after the adoption (-before +after):\n%s", diff)
	}
	s := storetest.Open(t, database)
	save(t, s, legacyOf(60, 2000))
	if got := answer(t, db, `SELECT count(*) FROM "My reports"."Slow ones" WHERE number = 60`); got[0] != "1" {
		t.Errorf("the view shows %s pipelines that came after", got)
	}
	var schema *store.SchemaError
	if _, err := migrator(t, store.Config{Database: database}).Down(t.Context(), 0, store.DownOptions{}); !errors.As(err, &schema) || !strings.Contains(err.Error(), "public.slowest") {
		t.Errorf("Down = %v, want it to stop", err)
	}
	if got := down(t, database, store.DownOptions{}); got.Written != 1 {
		t.Errorf("%+v", got)
	}
	must(t, db, "DELETE FROM metrics_build WHERE pipeline_id = 60; DELETE FROM metrics_job WHERE pipeline_id = 60; DELETE FROM metrics_pipeline WHERE pipeline_id = 60; REFRESH MATERIALIZED VIEW per_day")
	if diff := cmp.Diff(before, look()); diff != "" {
		t.Errorf("after the way back (-before +after):\n%s", diff)
	}
}

func legacyOf(id int64, seconds float64) ci.Report {
	r := posted(id)
	r.Legacy.DurationS = seconds
	return r
}

// The way back writes what came after into the old tables as far as it fits,
// and stops where it would lose something.
func TestTheWayBack(t *testing.T) {
	t.Parallel()
	database, db := originalAt(t, "43eff8f33449", rowsOf(20, 1), awkwardRows)
	adopt(t, store.Config{Database: database})
	s := storetest.Open(t, database)
	fits := posted(50)
	fits.Legacy.ProjectNumber = 7 // is in the table project
	fits.Legacy.Entries = append(fits.Legacy.Entries, ci.LegacyEntry{Kind: ci.LegacyFailed, Name: "e2e 9", DurationS: new(0.5)})
	save(t, s, fits)
	other := told(51) // by another source, with an e2e job
	save(t, s, other)
	again := told(7) // an adopted one: its report stays
	again.Project = "group/p7"
	save(t, s, again)
	wantBack := map[string][]string{
		"metrics_pipeline WHERE pipeline_id IN (50, 51)": {"50 | test/project | 97 | 27 | 2023-06-13T07:11:24.029Z | true | false | 7", "51 | acme/shop | 600 | 480 | 2026-11-20T12:00:00Z | true | true | ∅"},
		"metrics_build WHERE pipeline_id IN (50, 51)":    {"50 | build-e2e | 64", "51 | build-e2e | 60"}, "metrics_job_failed WHERE pipeline_id IN (50, 51)": {"50 | e2e 9 | 1", "51 | e2e | 120"},
		"metrics_job WHERE pipeline_id IN (50, 51)": {"50 | e2e | 5 | 7 | 27 | ∅ | ∅", "51 | e2e | ∅ | ∅ | 240 | ∅ | ∅"},
	}
	before := everything(t, db)
	misfits := []ci.Report{posted(1 << 31), posted(5), posted(900001), {Project: "a", Pipeline: ci.Pipeline{ID: 52, CreatedAt: noon}}, legacyOf(50, 1)}
	misfits[4].Project = "another"
	for _, r := range misfits {
		save(t, s, r)
	}
	_, err := migrator(t, store.Config{Database: database}).Down(t.Context(), 0, store.DownOptions{})
	var loss *store.LossError
	if !errors.As(err, &loss) || loss.Pipelines != 5 {
		t.Fatalf("Down = %v, want the loss of 5", err)
	}
	for _, want := range []string{"5 pipelines", "3: another pipeline has their number", "1: not in the view metrics_pipeline", "1: their number is greater than 2147483647", "--yes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if got := answer(t, db, "SELECT count(*) FROM pipelines WHERE id = 50"); got[0] != "2" || len(everything(t, db)) <= len(before) {
		t.Errorf("something is gone after a refusal")
	}
	if got := down(t, database, store.DownOptions{Lose: true}); *got != (store.Return{Written: 2, Lost: 5}) {
		t.Errorf("%+v", got)
	}
	columns := map[string]string{
		"metrics_pipeline": "pipeline_id, project, duration, duration_e2e, created_at, is_master, has_restarts, project_id", "metrics_build": "pipeline_id, name, duration",
		"metrics_job_failed": "pipeline_id, name, duration", "metrics_job": "pipeline_id, name, duration_e2e, duration_up, duration, duration_up_without_pull, duration_pull",
	}
	for from, want := range wantBack {
		table, _, _ := strings.Cut(from, " ")
		if diff := cmp.Diff(want, answer(t, db, "SELECT "+columns[table]+" FROM "+from+" ORDER BY 1, 2")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", from, diff)
		}
	}
	if got := answer(t, db, "SELECT max(id) < 100, count(*) FROM metrics_pipeline WHERE pipeline_id IN (50, 51)"); got[0] != "true | 2" {
		t.Errorf("ids go on: %s", got)
	}
}
