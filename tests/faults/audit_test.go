//go:build linux

package faults_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"
	_ "modernc.org/sqlite"             // registers "sqlite"
)

// open opens a database as a reader of the views does.
func open(t testing.TB, database string) *sql.DB {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(database, "postgres://") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// The views, each with what row wants of it.
var views = []struct{ name, text string }{
	{"pipeline", "SELECT project, pipeline_id, duration, duration_e2e, created_at, CAST(is_master AS INTEGER), CAST(has_restarts AS INTEGER) FROM metrics_pipeline"},
	{"build", "SELECT project, pipeline_id, name, duration FROM metrics_build"},
	{"job", "SELECT project, pipeline_id, name, duration, duration_e2e, duration_up, duration_up_without_pull, duration_pull FROM metrics_job"},
	{"failed", "SELECT project, pipeline_id, name, duration FROM metrics_job_failed"},
}

// audit holds what the views show against the journal. To be called when the
// senders have ended.
func audit(t testing.TB, database string, j *journal) verdict {
	t.Helper()
	db := open(t, database)
	v, found := j.judge(t), readViews(t, db)
	complain := func(format string, args ...any) {
		if v.lost+v.doubled+v.half <= 20 { // the rest is more of the same
			t.Errorf(format, args...)
		}
	}
	phases := scanCounts(t, db, "SELECT pipeline_id, count(*) FROM ci_phases GROUP BY pipeline_id")
	for i, e := range j.entries {
		n := j.first + report(i)
		rows, want := found[n], n.rows()
		delete(found, n)
		diff := cmp.Diff(want, rows)
		switch {
		case rows == nil && e.acknowledged():
			v.lost++
			complain("report %d was acknowledged %d times and is not stored", n, e.created+e.known)
		case rows == nil || diff == "" && phases[n] == 2:
		case len(rows) > len(want):
			v.doubled++
			complain("more is stored of report %d than was said (-want +got):\n%s", n, diff)
		default:
			v.half++
			complain("report %d is not stored as it was said; it has %d phases, want 2 (-want +got):\n%s", n, phases[n], diff)
		}
	}
	kept := readWords(t, db)
	for i, e := range j.entries {
		if n := j.first + report(i); e.told == [messages]bool{true, true} {
			if diff := cmp.Diff(n.wordsKept(), kept[n]); diff != "" {
				v.half++
				complain("what the CI system told of pipeline %d is not kept (-want +got):\n%s", n, diff)
			}
		}
	}
	for n, rows := range found {
		t.Errorf("nobody sent report %d: %v", n, rows)
	}
	checkIDs(t, db)
	checkFile(t, db, database)
	return v
}

// checkIDs wants each row of a view to have an id of its own, whichever replica
// stored it, and in whichever of its lives.
func checkIDs(t testing.TB, db *sql.DB) {
	t.Helper()
	for _, view := range []string{"metrics_pipeline", "metrics_build", "metrics_job", "metrics_job_failed"} {
		query(t, db, "SELECT count(*) - count(DISTINCT id) FROM "+view, func(columns []any) {
			if columns[0] != int64(0) {
				t.Errorf("%s: %v rows have the id of another", view, columns[0])
			}
		})
	}
}

// readViews returns the rows of each report: the pipeline, then its children
// in order of their text.
func readViews(t testing.TB, db *sql.DB) map[report][]string {
	t.Helper()
	found := map[report][]string{}
	for _, v := range views {
		from := map[report]int{}
		query(t, db, v.text, func(columns []any) {
			n := report(columns[1].(int64))
			if _, seen := from[n]; !seen {
				from[n] = len(found[n])
			}
			text := row(v.name, columns[2:]...)
			if columns[0] != n.project() {
				text += fmt.Sprintf(" in project %v", columns[0])
			}
			found[n] = append(found[n], text)
		})
	}
	for _, rows := range found {
		if strings.HasPrefix(rows[0], "pipeline|") {
			slices.Sort(rows[1:])
		}
	}
	return found
}

func scanCounts(t testing.TB, db *sql.DB, text string) map[report]int {
	t.Helper()
	counts := map[report]int{}
	query(t, db, text, func(columns []any) { counts[report(columns[0].(int64))] = int(columns[1].(int64)) })
	return counts
}

// query hands each row to each, times as time.Time.
func query(t testing.TB, db *sql.DB, text string, each func(columns []any)) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		columns, at := make([]any, len(names)), make([]any, len(names))
		for i := range columns {
			at[i] = &columns[i]
		}
		if err := rows.Scan(at...); err != nil {
			t.Fatal(err)
		}
		for i, c := range columns {
			if text, isText := c.(string); isText && names[i] == "created_at" {
				if columns[i], err = time.Parse(time.RFC3339Nano, text); err != nil {
					t.Fatal(err)
				}
			}
		}
		each(columns)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// checkFile asks SQLite whether its file is sound.
func checkFile(t testing.TB, db *sql.DB, database string) {
	t.Helper()
	if strings.HasPrefix(database, "postgres://") {
		return
	}
	query(t, db, "PRAGMA integrity_check", func(columns []any) {
		if columns[0] != "ok" {
			t.Errorf("integrity_check: %v", columns[0])
		}
	})
	query(t, db, "PRAGMA foreign_key_check", func(columns []any) { t.Errorf("a row without its parent: %v", columns) })
}
