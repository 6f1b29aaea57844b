package filled

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const copyStep = 10_000_000 // between the numbers of a pipeline and its copy

// copy copies the pipelines of a project, each step earlier than the one
// before: within it where projects is 0, which makes so many of each, else into
// as many new projects.
func (d database) copy(ctx context.Context, project string, copies int, step time.Duration, firstProject, projects int64) error {
	var id int64
	if err := d.QueryRowContext(ctx, "SELECT id FROM projects WHERE name = $1", project).Scan(&id); err != nil {
		return err
	}
	tx, err := d.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	from := 1
	targets := "SELECT " + strconv.FormatInt(id, 10) + " AS id"
	if projects > 0 {
		from, targets = 0, "SELECT id FROM projects WHERE name >= '"+copyName(firstProject)+"' AND name < '"+copyName(firstProject+projects)+"'"
		for i := range projects {
			if _, err := tx.ExecContext(ctx, "INSERT INTO projects (name, default_branch) VALUES ($1, 'main')", copyName(firstProject+i)); err != nil {
				return err
			}
		}
	}
	series := fmt.Sprintf("WITH RECURSIVE copy (n) AS (SELECT CAST(%d AS BIGINT) WHERE %d < %d UNION ALL SELECT n + 1 FROM copy WHERE n < %d), target AS (%s)", from, from, copies, copies-1, targets)
	for _, table := range []string{"pipelines", "jobs", "steps", "phases"} {
		columns, err := d.columnsToCopy(ctx, tx, table)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("INSERT INTO %s (%s) %s SELECT %s FROM target CROSS JOIN copy CROSS JOIN %s t WHERE t.project_id = %d AND t.%s < %d ORDER BY 1, 2",
			table, strings.Join(columns, ", "), series, strings.Join(copied(table, columns, step), ", "), table, id, numberColumn(table), copyStep)
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("copy %s: %w", table, err)
		}
	}
	return tx.Commit()
}

func copyName(n int64) string { return fmt.Sprintf("bench/usual-%04d", n+2) }

func numberColumn(table string) string {
	if table == "pipelines" {
		return "id"
	}
	return "pipeline_id"
}

// copied is what each column of a copy holds.
func copied(table string, columns []string, step time.Duration) []string {
	instants := []string{"created_ms", "started_ms", "finished_ms", "updated_ms", "metrics_created_ms", "pipeline_created_ms", "first_start_ms", "last_finish_ms"}
	all := make([]string, len(columns))
	for i, c := range columns {
		switch {
		case c == "project_id":
			all[i] = "target.id"
		case c == numberColumn(table):
			// No number is of two projects, as within one instance of GitLab: the
			// original's queries join by it alone.
			all[i] = fmt.Sprintf("t.%s + copy.n * %d + CASE WHEN target.id = t.project_id THEN 0 ELSE target.id * %d END", c, copyStep, 1000*copyStep)
		case c == "row_id":
			all[i] = "t.row_id + (target.id * 1000 + copy.n) * 1000000"
		case c == "commit_sha": // a commit of its own, as pipelines have
			all[i] = "substr(CAST(copy.n AS TEXT) || t.commit_sha, 1, 40)"
		case slices.Contains(instants, c):
			all[i] = fmt.Sprintf("t.%s - copy.n * %d", c, step.Milliseconds())
		default:
			all[i] = "t." + c
		}
	}
	return all
}

// columnsToCopy are the columns of a table, the project first and then the number.
func (d database) columnsToCopy(ctx context.Context, tx *sql.Tx, table string) (columns []string, err error) {
	query := "SELECT name FROM pragma_table_info('" + table + "') ORDER BY cid"
	if d.postgres {
		query = "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = '" + table + "' AND is_generated = 'NEVER' ORDER BY ordinal_position"
	}
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		columns = append(columns, name)
	}
	return columns, rows.Err()
}
