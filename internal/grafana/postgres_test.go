package grafana_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/grafana"
)

// A range of a month in the year that is stored: a whole table need not be read
// for it.
var (
	monthFrom = today.AddDate(0, 0, -30)
	intervals = []string{"1m", "6h", "1d"}
	choices   = [][]string{projects[:1], projects[:2], projects, projects[3:], {}}
)

// columns are what each query must answer with, by dashboard and title: names
// and types, as Grafana shows or charts them by these.
var columns = map[string]string{
	"overview/variable project":      "project TEXT",
	"overview/Pipelines":             "pipelines INT8",
	"overview/Success rate":          "success_rate FLOAT8",
	"overview/Restarted":             "restarted FLOAT8",
	"overview/Builds":                "p50 FLOAT8, p80 FLOAT8, p95 FLOAT8",
	"overview/Time to e2e":           "p50 FLOAT8, p80 FLOAT8, p95 FLOAT8",
	"overview/E2e":                   "p50 FLOAT8, p80 FLOAT8, p95 FLOAT8",
	"overview/Time to e2e over time": "time NUMERIC, p50 FLOAT8, p80 FLOAT8, p95 FLOAT8",
	"overview/E2e over time":         "time NUMERIC, p50 FLOAT8, p80 FLOAT8, p95 FLOAT8",
	"overview/End of e2e over time":  "time NUMERIC, p50 FLOAT8, p80 FLOAT8, p95 FLOAT8",
	"overview/Builds over time":      "time NUMERIC, p50 FLOAT8, p80 FLOAT8, p95 FLOAT8",
	"overview/Outcomes":              "time NUMERIC, passed INT8, restarted INT8, failed INT8, cancelled INT8, not_said INT8",
	"overview/Restarts over time":    "time NUMERIC, with_restarts INT8, without_restarts INT8",
	"overview/Waiting for a runner":  "time NUMERIC, p50 FLOAT8, p80 FLOAT8, p95 FLOAT8",
	"overview/Failed attempts":       "time NUMERIC, failed INT8",
	"overview/Slowest jobs":          "project TEXT, job TEXT, attempts INT8, p50 FLOAT8, p80 FLOAT8, p95 FLOAT8, queue_p95 FLOAT8",
	"overview/Jobs that fail most":   "project TEXT, job TEXT, attempts INT8, failed INT8, failure_rate FLOAT8, retried INT8, last_failure TIMESTAMPTZ",
	"overview/Projects": "project TEXT, pipelines INT8, success_rate FLOAT8, restarted FLOAT8, " +
		"time_to_e2e_p50 FLOAT8, e2e_p50 FLOAT8, e2e_p95 FLOAT8, newest TIMESTAMPTZ",
	"overview/Newest pipelines": "created_at TIMESTAMPTZ, project TEXT, pipeline TEXT, ref TEXT, result TEXT, has_restarts BOOL, " +
		"time_to_e2e FLOAT8, e2e FLOAT8",
	"seed/variable project":                       "project TEXT",
	"seed/Pipelines":                              "count INT8",
	"seed/With and without restarts":              "has_restarts BOOL, pipelines INT8",
	"seed/Restarts over time":                     "time TIMESTAMPTZ, restarts INT4",
	"seed/Time to the first e2e job":              "p50 FLOAT8, p80 FLOAT8, p95 FLOAT8",
	"seed/E2e in total":                           "p50 FLOAT8, p80 FLOAT8, p95 FLOAT8",
	"seed/Time to the first e2e job, by pipeline": "pipeline TEXT, time_to_e2e INT4",
	"seed/Total, e2e and build, by pipeline":      "pipeline TEXT, total INT4, e2e INT4, build INT8",
}

func TestOnPostgreSQL(t *testing.T) {
	t.Parallel()
	db := seeded(t)
	t.Run("every query runs", func(t *testing.T) {
		t.Parallel()
		everyQueryRuns(t, db)
	})
	t.Run("choices add up", func(t *testing.T) {
		t.Parallel()
		choicesAddUp(t, db)
	})
}

// everyQueryRuns runs the query of every panel and variable as Grafana would
// send it, for every choice of projects and interval.
func everyQueryRuns(t *testing.T, db *sql.DB) {
	t.Helper()
	for _, f := range grafana.Dashboards() {
		board := strings.TrimSuffix(f.Name, ".json")
		for title, query := range queries(f.Dashboard) {
			for _, chosen := range choices {
				if board == "seed" && (len(chosen) != 1 || isBare(title) && strings.Contains(chosen[0], "'")) {
					continue // it takes one project, and the guide's own queries none with an apostrophe
				}
				for _, every := range intervals {
					check(t, db, board+"/"+title, query, chosen, every)
				}
			}
		}
	}
}

func isBare(title string) bool { return slices.Contains(bareOnPurpose, title) }

func check(t *testing.T, db *sql.DB, title, query string, chosen []string, every string) {
	t.Helper()
	v := view{from: monthFrom, to: today, interval: every, variables: map[string][]string{
		"project": chosen, "branch": {"default"}, "restarts": {"in"},
	}}
	text, err := v.expand(query)
	if err != nil {
		t.Fatalf("%s: %v", title, err)
	}
	a := ask(t, db, text)
	name := fmt.Sprintf("%s, projects %q, every %s", title, chosen, every)
	if diff := cmp.Diff(columns[title], a.columns); diff != "" {
		t.Errorf("%s: columns (-want +got):\n%s", name, diff)
	}
	if strings.HasPrefix(a.columns, "time ") && !slices.IsSortedFunc(a.rows, byTime) {
		t.Errorf("%s: time does not ascend", name)
	}
	if len(chosen) > 0 && !a.hasValues() {
		t.Errorf("%s: no value in %d rows", name, len(a.rows))
	}
	if scanned := scans(t, db, text); slices.Contains(scanned, "pipelines") {
		t.Errorf("%s reads the whole table of pipelines:\n%s", name, text)
	}
}

// An answer is what a query returned; a column is its name and type.
type answer struct {
	columns string
	rows    [][]any
}

func ask(t *testing.T, db *sql.DB, query string, args ...any) answer {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	for i, c := range types {
		if i > 0 {
			a.columns += ", "
		}
		a.columns += c.Name() + " " + c.DatabaseTypeName()
	}
	for rows.Next() {
		row, at := make([]any, len(types)), make([]any, len(types))
		for i := range row {
			at[i] = &row[i]
		}
		if err := rows.Scan(at...); err != nil {
			t.Fatal(err)
		}
		a.rows = append(a.rows, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	return a
}

// hasValues tells whether every column has a value in some row.
func (a answer) hasValues() bool {
	if len(a.rows) == 0 {
		return false
	}
	for column := range a.rows[0] {
		if !slices.ContainsFunc(a.rows, func(row []any) bool { return row[column] != nil }) {
			return false
		}
	}
	return true
}

func byTime(a, b []any) int {
	if at, is := a[0].(time.Time); is {
		return at.Compare(b[0].(time.Time))
	}
	var x, y float64
	fmt.Sscan(a[0].(string), &x)
	fmt.Sscan(b[0].(string), &y)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// scans lists the tables that PostgreSQL would read from end to end.
func scans(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	var text string
	if err := db.QueryRowContext(context.Background(), "EXPLAIN (FORMAT JSON) "+query).Scan(&text); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	type node struct {
		Kind  string `json:"Node Type"`
		Table string `json:"Relation Name"`
		Plans []node
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	var found []string
	var walk func(n node)
	walk = func(n node) {
		if n.Kind == "Seq Scan" {
			found = append(found, n.Table)
		}
		for _, below := range n.Plans {
			walk(below)
		}
	}
	for _, p := range plans {
		walk(p.Plan)
	}
	return found
}

// choicesAddUp holds the choices of the overview against each other.
func choicesAddUp(t *testing.T, db *sql.DB) {
	t.Helper()
	count := func(title, branch, restarts string, chosen ...string) (sum int64) {
		for _, f := range grafana.Dashboards() {
			query, known := queries(f.Dashboard)[title]
			if f.Name != "overview.json" || !known {
				continue
			}
			v := view{from: monthFrom, to: today, interval: "1d", variables: map[string][]string{
				"project": chosen, "branch": {branch}, "restarts": {restarts},
			}}
			text, err := v.expand(query)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range ask(t, db, text).rows {
				for _, value := range row {
					if n, is := value.(int64); is {
						sum += n
					}
				}
			}
		}
		return sum
	}
	all := count("Pipelines", "all", "in", projects...)
	if want := int64(pipelines * 30 / days); all < want-1 || all > want+1 {
		t.Errorf("a month has %d pipelines, want %d", all, want)
	}
	if in, out, only := all, count("Pipelines", "all", "out", projects...), count("Pipelines", "all", "only", projects...); in != out+only || out == 0 || only == 0 {
		t.Errorf("%d in, %d out, %d only", in, out, only)
	}
	if onDefault := count("Pipelines", "default", "in", projects...); onDefault == 0 || onDefault >= all {
		t.Errorf("%d on the default branch of %d", onDefault, all)
	}
	var each int64
	for _, p := range projects {
		each += count("Pipelines", "all", "in", p)
	}
	for title, got := range map[string]int64{
		"the projects": each,
		"the outcomes": count("Outcomes", "all", "in", projects...),
		"restarts":     count("Restarts over time", "all", "in", projects...),
	} {
		if got != all {
			t.Errorf("%s add up to %d, want %d", title, got, all)
		}
	}
	if none := count("Pipelines", "all", "in"); none != 0 {
		t.Errorf("%d pipelines of no project", none)
	}
}
