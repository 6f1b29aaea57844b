package analytics_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// copies is how many projects the plans are made for: so many that reading all
// rows of a table is much dearer than reading those of one.
const copies = 60

// Of one project no question reads a whole table of facts, whether the days are
// packed or not, and whether the database knows its statistics or not.
func TestNoQuestionReadsAllFacts(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		var asked []query
		s, err := store.Open(t.Context(), store.Config{Database: database, Asked: func(text string, args []any) { asked = append(asked, query{text, args}) }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w := newWorld(t, s, 150)
		db := copyFacts(t, s, database)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		for _, state := range []string{"new", "analyzed", "packed"} {
			switch state {
			case "analyzed":
				execute(t, db, "ANALYZE")
			case "packed":
				pack(t, s)
			}
			seen := map[string]bool{}
			for name, ask := range questions(a, w.pipelines[0].id) {
				for _, span := range []string{"30d", "1y"} {
					asked = nil
					if err := ask(t.Context(), filter(t, "range="+span+"&project="+w.pipelines[0].project)); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					for _, q := range slices.Clone(asked) {
						if !seen[q.text] {
							seen[q.text] = true
							for _, bad := range q.scans(t, s) {
								t.Errorf("%s, %s: %s\nin %s", name, state, bad, q.text)
							}
						}
					}
				}
			}
			if len(seen) < 10 {
				t.Errorf("only %d queries were looked at", len(seen))
			}
		}
	})
}

func questions(a *analytics.Analytics, id int64) map[string]func(context.Context, analytics.Filter) error {
	type question = func(context.Context, analytics.Filter) error
	stats := func(metric string) question {
		return func(ctx context.Context, f analytics.Filter) error {
			_, err := a.Stats(ctx, f, metric, nil)
			return err
		}
	}
	return map[string]question{
		"stats": stats("active"), "stats of a phase": stats("time_to_e2e"), "stats of a job": stats("job_run:e2e"), "stats of a step": stats("step:e2e/up"),
		"breakdown": func(ctx context.Context, f analytics.Filter) error { _, err := a.Breakdown(ctx, f); return err },
		"outcomes":  func(ctx context.Context, f analytics.Filter) error { _, err := a.Outcomes(ctx, f); return err },
		"projects":  func(ctx context.Context, f analytics.Filter) error { _, err := a.Projects(ctx, f); return err },
		"pipelines": func(ctx context.Context, f analytics.Filter) error {
			_, err := a.Pipelines(ctx, f, analytics.Page{})
			return err
		},
		"a pipeline": func(ctx context.Context, f analytics.Filter) error {
			_, err := a.PipelineDetail(ctx, f, id)
			return err
		},
		"jobs": func(ctx context.Context, f analytics.Filter) error {
			_, err := a.Jobs(ctx, f, analytics.Page{})
			return err
		},
		"a job": func(ctx context.Context, f analytics.Filter) error {
			f.Jobs = []string{"e2e"}
			_, err := a.Job(ctx, f)
			return err
		},
		"runs of a job": func(ctx context.Context, f analytics.Filter) error { _, err := a.JobRuns(ctx, f, "e2e"); return err },
		"of a job": func(ctx context.Context, f analytics.Filter) error {
			f.Jobs = []string{"e2e"}
			_, err := a.Breakdown(ctx, f)
			return err
		},
		"critical path": func(ctx context.Context, f analytics.Filter) error { _, err := a.CriticalPath(ctx, f); return err },
		"restarts":      func(ctx context.Context, f analytics.Filter) error { _, err := a.Restarts(ctx, f); return err },
		"flaky":         func(ctx context.Context, f analytics.Filter) error { _, err := a.Flaky(ctx, f); return err },
		"queue":         func(ctx context.Context, f analytics.Filter) error { _, err := a.Queue(ctx, f); return err },
		"concurrency":   func(ctx context.Context, f analytics.Filter) error { _, err := a.Concurrency(ctx, f); return err },
		"costs": func(ctx context.Context, f analytics.Filter) error {
			_, err := a.Costs(ctx, f, analytics.ByJob, nil)
			return err
		},
		"news":    func(ctx context.Context, f analytics.Filter) error { _, _, err := a.News(ctx, f); return err },
		"dora":    func(ctx context.Context, f analytics.Filter) error { _, err := a.DORA(ctx, f); return err },
		"choices": func(ctx context.Context, f analytics.Filter) error { _, err := a.Choices(ctx, f); return err },
		"dots":    func(ctx context.Context, f analytics.Filter) error { _, err := a.Dots(ctx, f, 100); return err },
		"compare": func(ctx context.Context, f analytics.Filter) error {
			base := f
			base.Window = f.Versus
			_, err := a.Compare(ctx, base, f, "", 0.8)
			return err
		},
	}
}

// A query is what was asked of the database.
type query struct {
	text string
	args []any
}

var factTable = regexp.MustCompile(`(?i)\b(?:FROM|JOIN) (pipelines|jobs|steps|phases)\b(?: (?:AS )?([a-z])\b)?`)

// scans are the steps of the plan that read all rows of a table of facts.
func (q query) scans(t *testing.T, s *store.Store) (bad []string) {
	t.Helper()
	explain := map[string]string{"postgres": "EXPLAIN ", "sqlite": "EXPLAIN QUERY PLAN "}[s.Engine()]
	var marks []string
	for _, table := range factTable.FindAllStringSubmatch(q.text, -1) {
		marks = append(marks, "Seq Scan on "+table[1]+" ", "SCAN "+table[1]+" ", "SCAN "+table[2]+" ")
	}
	for _, row := range storetest.Table(t, s, explain+q.text, q.args...) {
		step := fmt.Sprint(row[len(row)-1])
		if slices.ContainsFunc(marks, func(mark string) bool { return strings.Contains(step+" ", mark) }) {
			bad = append(bad, step)
		}
	}
	return bad
}

// copyFacts gives many more projects the pipelines of those that are there.
func copyFacts(t *testing.T, s *store.Store, database string) *sql.DB {
	t.Helper()
	driver := map[string]string{"postgres": "pgx", "sqlite": "sqlite"}[s.Engine()]
	db, err := sql.Open(driver, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	many := fmt.Sprintf("WITH RECURSIVE copy (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM copy WHERE n < %d) ", copies)
	execute(t, db, "INSERT INTO projects (id, name, default_branch) "+many+"SELECT pr.id + 1000 * copy.n, pr.name || copy.n, pr.default_branch FROM copy CROSS JOIN projects pr")
	for _, table := range []string{"pipelines", "jobs", "steps", "phases"} {
		columns := columnsOf(t, db, table)
		from := slices.Clone(columns)
		for i, c := range columns {
			from[i] = map[string]string{"project_id": "t.project_id + 1000 * copy.n"}[c]
			if from[i] == "" {
				from[i] = "t." + c
			}
		}
		execute(t, db, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") "+many+"SELECT "+strings.Join(from, ", ")+" FROM copy CROSS JOIN "+table+" t")
	}
	return db
}

func columnsOf(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table+" LIMIT 0")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err := errors.Join(err, rows.Err()); err != nil {
		t.Fatal(err)
	}
	return columns
}

func execute(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
