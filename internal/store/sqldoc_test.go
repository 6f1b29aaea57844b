package store_test

import (
	"context"
	"database/sql"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// docs/sql.md is held against both engines: the columns of its tables, and
// every block of SQL.
func TestSQLPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	views := documentedViews(string(page))
	if len(views) != 9 {
		t.Fatalf("%d views are documented, want 9", len(views))
	}
	storetest.Databases(t, func(t *testing.T, database string) {
		s := storetest.Open(t, database)
		saveDemo(t, s)
		if strings.HasPrefix(database, "postgres") {
			if diff := cmp.Diff(views, pgViews(t, s)); diff != "" {
				t.Errorf("columns (-docs/sql.md +PostgreSQL):\n%s", diff)
			}
			runBlocks(t, string(page), database, "pgx", "", " postgres", " postgres role", " grafana", " change")
		} else {
			checkLiteViews(t, s, views)
			runBlocks(t, string(page), database, "sqlite", "", " sqlite", " change")
		}
	})
}

// A documentedColumn is a row of a table in docs/sql.md.
type documentedColumn struct {
	Name, Postgres string
	SQLite         string
}

var (
	viewHeading = regexp.MustCompile("(?m)^### `(\\w+)`$")
	columnRow   = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\| ([^|]+) \\| [^|]+ \\|$")
	sqlBlock    = regexp.MustCompile("(?ms)^```sql([a-z ]*)\n(.*?)^```$")
	liteTime    = `GLOB '[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z'`
)

func documentedViews(page string) map[string][]documentedColumn {
	views := map[string][]documentedColumn{}
	at := viewHeading.FindAllStringSubmatchIndex(page, -1)
	for i, m := range at {
		end := len(page)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		for _, row := range columnRow.FindAllStringSubmatch(page[m[0]:end], -1) {
			name := page[m[2]:m[3]]
			views[name] = append(views[name], documentedColumn{row[1], row[2], row[3]})
		}
	}
	return views
}

func pgViews(t *testing.T, s *store.Store) map[string][]documentedColumn {
	t.Helper()
	views := map[string][]documentedColumn{}
	lite := map[string]string{"bigint": "integer", "integer": "integer", "text": "text", "boolean": "0/1", "timestamptz": "time", "double precision": "real"}
	for _, c := range texts(t, s, `SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind = 'v' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 ORDER BY c.relname, a.attnum`) {
		kind := strings.ReplaceAll(c[2], "timestamp with time zone", "timestamptz")
		views[c[0]] = append(views[c[0]], documentedColumn{c[1], kind, lite[kind]})
	}
	return views
}

// checkLiteViews looks at the values, for SQLite's columns have no types.
func checkLiteViews(t *testing.T, s *store.Store, views map[string][]documentedColumn) {
	t.Helper()
	for view, columns := range views {
		var want, got []string
		for _, c := range columns {
			want = append(want, c.Name)
			fits := map[string]string{
				"text": "typeof(x) = 'text'", "integer": "typeof(x) = 'integer'", "real": "typeof(x) = 'real'", "0/1": "x IN (0, 1)", "time": "x " + liteTime,
			}[c.SQLite]
			query := "SELECT count(x), count(*) FILTER (WHERE NOT (" + fits + ")) FROM (SELECT " + c.Name + " AS x FROM " + view + ") WHERE x IS NOT NULL"
			if counts := storetest.Table(t, s, query)[0]; counts[1] != int64(0) {
				t.Errorf("%s.%s: %v of %v values are not %s", view, c.Name, counts[1], counts[0], c.SQLite)
			}
		}
		for _, c := range texts(t, s, "SELECT name FROM pragma_table_info('"+view+"') ORDER BY cid") {
			got = append(got, c[0])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-docs/sql.md +SQLite):\n%s", view, diff)
		}
	}
}

// saveDemo saves a month of the demo's projects, and reports to /save_metrics
// beside them.
func saveDemo(t *testing.T, s *store.Store) {
	t.Helper()
	reports := demo.Generate(1, time.Now(), 32).Reports
	for id := range int64(3) {
		reports = append(reports, posted(id+1))
	}
	var wg sync.WaitGroup
	limit := make(chan struct{}, 64)
	for _, r := range reports {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			save(t, s, r)
		})
	}
	wg.Wait()
}

// runBlocks runs the blocks of SQL that have one of the marks, each in a
// transaction that is rolled back; a question must have an answer.
func runBlocks(t *testing.T, page, database, driver string, marks ...string) {
	t.Helper()
	db, err := sql.Open(driver, database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ran := map[string]int{}
	for _, block := range sqlBlock.FindAllStringSubmatch(page, -1) {
		mark, text := block[1], grafanaText(block[2])
		if !slices.Contains(marks, mark) {
			continue
		}
		ran[mark]++
		tx, err := db.BeginTx(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		switch mark {
		case " change":
			runChange(t, tx, text)
		case " postgres role":
			runRole(t, tx, text)
		default:
			if rows := count(t, tx, text); rows == 0 {
				t.Errorf("no row is the answer to:\n%s", text)
			}
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range marks {
		if ran[m] == 0 {
			t.Errorf("no block is marked %q", m)
		}
	}
}

// grafanaText is a query as Grafana would send it.
func grafanaText(text string) string {
	from, to := time.Now().AddDate(0, 0, -30), time.Now()
	text = strings.ReplaceAll(text, "$__timeFilter(created_at)", "created_at BETWEEN '"+from.UTC().Format(time.RFC3339)+"' AND '"+to.UTC().Format(time.RFC3339)+"'")
	return strings.ReplaceAll(text, "$project", "acme/shop")
}

func count(t *testing.T, tx *sql.Tx, query string) (n int) {
	t.Helper()
	rows, err := tx.Query(query)
	if err != nil {
		t.Errorf("%v:\n%s", err, query)
		return -1
	}
	defer rows.Close()
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil {
		t.Errorf("%v:\n%s", err, query)
	}
	return n
}

// runChange deletes a pipeline that is there, as the page says.
func runChange(t *testing.T, tx *sql.Tx, text string) {
	t.Helper()
	var id string
	if err := tx.QueryRow("SELECT min(pipeline_id) FROM ci_steps WHERE project = 'acme/shop' AND source = 'report'").Scan(&id); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(strings.ReplaceAll(text, "4821301", id)); err != nil {
		t.Errorf("%v:\n%s", err, text)
		return
	}
	for _, table := range []string{"ci_pipelines", "ci_jobs", "ci_steps", "ci_phases"} {
		if n := count(t, tx, "SELECT 1 FROM "+table+" WHERE project = 'acme/shop' AND pipeline_id = "+id); n != 0 {
			t.Errorf("%s has %d rows of the pipeline that was deleted", table, n)
		}
	}
	if n := count(t, tx, "SELECT 1 FROM ci_steps WHERE project = 'acme/shop' LIMIT 1"); n != 1 {
		t.Error("more was deleted than the pipeline")
	}
}

// runRole makes the role and looks through its eyes.
func runRole(t *testing.T, tx *sql.Tx, text string) {
	t.Helper()
	for _, statement := range []string{text, "SET ROLE reporter"} {
		if _, err := tx.Exec(statement); err != nil {
			t.Fatalf("%v:\n%s", err, statement)
		}
	}
	for _, view := range []string{"ci_projects", "ci_pipelines", "ci_jobs", "ci_steps", "ci_phases", "metrics_pipeline", "metrics_build", "metrics_job", "metrics_job_failed"} {
		if count(t, tx, "SELECT * FROM "+view+" LIMIT 1") != 1 {
			t.Errorf("the role can't read %s", view)
		}
	}
	if _, err := tx.Exec("SELECT * FROM tokens"); err == nil {
		t.Error("the role can read tokens")
	}
}
