package main

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/bench/filled"
)

// The three queries of the original's guide, unchanged, on three schemas in one
// database: the original's tables as it makes them, the same with the indexes
// that suit the queries best, and our views.

// asOriginal and asIndexed are the schemas of the original's tables; our views are
// in the usual one.
const (
	asOriginal = "original"
	asIndexed  = "indexed"
)

// seedQueries are the queries by what they ask. $from, $to and $project stand
// where Grafana puts values; % is the schema.
func seedQueries() map[string]string {
	const rest = ` FROM %metrics_pipeline mp LEFT JOIN %metrics_build mb ON mb.pipeline_id = mp.pipeline_id
		WHERE created_at BETWEEN $from AND $to AND mp.project = $project AND mp.is_master = true`
	const percentiles = `SELECT PERCENTILE_CONT(0.5) WITHIN GROUP(ORDER by total), PERCENTILE_CONT(0.80) WITHIN GROUP(ORDER by total), PERCENTILE_CONT(0.95) WITHIN GROUP(ORDER by total)
		FROM (SELECT created_at AS "time", `
	return map[string]string{
		"count":       "SELECT count(*) FROM %metrics_pipeline mp WHERE created_at BETWEEN $from AND $to AND mp.project = $project AND mp.is_master = true",
		"time to e2e": percentiles + `mp.duration - mp.duration_e2e as "total"` + rest + " GROUP BY time, mp.duration, mp.duration_e2e ORDER BY 1) as data",
		"e2e":         percentiles + `mp.duration_e2e as "total"` + rest + " AND mp.has_restarts = false GROUP BY time, mp.duration, mp.duration_e2e ORDER BY 1) as data",
	}
}

// seedTable asks the original's queries and writes a table.
func seedTable(ctx context.Context, d database, times int) (table string, err error) {
	db, err := d.open()
	if err != nil {
		return "", err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if err := makeOriginals(ctx, db); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("\n| the original's query | its tables | with the best indexes | our views | views to its tables | to the best indexes (target 1x) |\n|---|---|---|---|---|---|\n")
	queries := seedQueries()
	for _, name := range slices.Sorted(keysOf(queries)) {
		for _, project := range []string{filled.Usual, filled.Busy} {
			for _, days := range []int{30, 365} {
				row, err := timeSeed(ctx, db, queries[name], project, days, times)
				if err != nil {
					return "", err
				}
				fmt.Fprintf(&b, "| %s, %s, %d d | %s\n", name, strings.TrimPrefix(project, "bench/"), days, row)
			}
		}
	}
	for _, schema := range []string{asOriginal, asIndexed} {
		if _, err := db.ExecContext(ctx, "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// makeOriginals copies what the views show into the original's tables.
func makeOriginals(ctx context.Context, db *sql.DB) error {
	for _, schema := range []string{asOriginal, asIndexed} {
		texts := []string{
			"CREATE SCHEMA " + schema,
			"CREATE TABLE " + schema + `.metrics_pipeline AS SELECT row_number() OVER () AS id, pipeline_id, project, duration, duration_e2e,
				created_at::timestamp AS created_at, is_master, has_restarts FROM public.metrics_pipeline`,
			"ALTER TABLE " + schema + ".metrics_pipeline ADD PRIMARY KEY (id)",
			"CREATE TABLE " + schema + ".metrics_build AS SELECT id, pipeline_id, name, duration FROM public.metrics_build",
			"ALTER TABLE " + schema + ".metrics_build ADD PRIMARY KEY (id)",
		}
		if schema == asIndexed {
			texts = append(texts, "CREATE INDEX ON indexed.metrics_pipeline (project, created_at)", "CREATE INDEX ON indexed.metrics_build (pipeline_id)")
		}
		texts = append(texts, "VACUUM ANALYZE "+schema+".metrics_pipeline", "VACUUM ANALYZE "+schema+".metrics_build")
		for _, text := range texts {
			if _, err := db.ExecContext(ctx, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// timeSeed asks one query of all schemas in turn, and returns their medians and
// ratios as cells. It fails where the answers differ.
func timeSeed(ctx context.Context, db *sql.DB, query, project string, days, times int) (string, error) {
	var cells strings.Builder
	const schemas = 3
	quoted := func(t time.Time) string { return "'" + t.UTC().Format(time.RFC3339) + "'" }
	text := strings.NewReplacer("$from", quoted(time.Now().AddDate(0, 0, -days)), "$to", quoted(time.Now()), "$project", "'"+project+"'").Replace(query)
	var took [schemas][]time.Duration
	var ratios [schemas - 1][]float64
	for range min(times, 7) + 1 { // the first is not counted
		var answers [schemas]string
		var one [schemas]time.Duration
		for i, prefix := range []string{asOriginal + ".", asIndexed + ".", ""} {
			start := time.Now()
			var err error
			if answers[i], err = firstRow(ctx, db, strings.ReplaceAll(text, "%", prefix)); err != nil {
				return "", err
			}
			one[i] = time.Since(start)
			took[i] = append(took[i], one[i])
		}
		if answers[0] != answers[1] || answers[0] != answers[2] {
			return "", fmt.Errorf("the answers differ: %q in %s", answers, text)
		}
		for i := range ratios {
			ratios[i] = append(ratios[i], one[i].Seconds()/one[schemas-1].Seconds())
		}
	}
	for i := range took {
		rest := took[i][1:]
		slices.Sort(rest)
		fmt.Fprintf(&cells, "%.1f ms | ", float64(rest[len(rest)/2].Microseconds())/1000)
	}
	for i := range ratios {
		rest := ratios[i][1:]
		slices.Sort(rest)
		fmt.Fprintf(&cells, "%.2fx |", rest[len(rest)/2])
	}
	return cells.String(), nil
}

// firstRow is the columns of the first row as text.
func firstRow(ctx context.Context, db *sql.DB, text string) (row string, err error) {
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	if rows.Next() {
		values, at := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			at[i] = &values[i]
		}
		if err := rows.Scan(at...); err != nil {
			return "", err
		}
		row = fmt.Sprint(values...)
	}
	return row, rows.Err()
}
