package store

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// The size of a page of an export.
const (
	exportPage     = 200    // pipelines
	exportAttempts = 20_000 // or so many attempts, if it has more than one pipeline
)

// A Position is where an export goes on: after that pipeline. The zero value
// is the beginning.
type Position struct{ project, id int64 }

// Export returns some pipelines after a position, with all that is known of
// them, and the position of the last; none: that was all. What is stored
// meanwhile may be among them or not.
func (s *Store) Export(ctx context.Context, after Position) (all []ci.Report, last Position, err error) {
	keys, last, err := s.exportKeys(ctx, after)
	if err != nil || len(keys) == 0 {
		return nil, after, err
	}
	byKey, err := s.readWhole(ctx, "(SELECT project_id, id FROM pipelines WHERE (project_id, id) > ($1, $2) AND (project_id, id) <= ($3, $4)) AS staged",
		after.project, after.id, last.project, last.id)
	if err != nil {
		return nil, after, err
	}
	for _, k := range keys {
		if l := byKey[k]; l != nil { // deleted by hand just now
			// To tell the rows of legacy reports apart, for which any definitions
			// will do: what follows from them is not exported.
			l.rec.Derive(s.byDefault.Load().Definitions, l.branchInForce)
			all = append(all, l.rec.Export(l.branchInForce))
		}
	}
	return all, last, nil
}

// exportKeys are the next pipelines, few enough to hold in memory.
func (s *Store) exportKeys(ctx context.Context, after Position) (keys []key, last Position, err error) {
	var attempts int64
	full := false
	const query = "SELECT project_id, id, attempts FROM pipelines WHERE (project_id, id) > ($1, $2) ORDER BY project_id, id LIMIT $3"
	err = s.read(ctx, query, func(rows *sql.Rows) error {
		var k key
		var n int64
		if err := rows.Scan(&k.project, &k.id, &n); err != nil {
			return err
		}
		attempts += n
		if full = full || attempts > exportAttempts && len(keys) > 0; !full {
			keys, last = append(keys, k), Position(k)
		}
		return nil
	}, after.project, after.id, exportPage)
	return keys, last, err
}

// CountPipelines returns how many pipelines there are.
func (s *Store) CountPipelines(ctx context.Context) (n int64, err error) {
	err = s.read(ctx, "SELECT count(*) FROM pipelines", func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

// ImportProject adds what is known of a project elsewhere. What is known here
// stays.
func (s *Store) ImportProject(ctx context.Context, p Project) error {
	told := ci.Project{Name: p.Name, Number: p.Number, Team: p.ToldTeam, E2eJobs: p.E2eJobs, Schedules: p.Schedules, Packages: p.Packages}
	if err := told.Validate(); err != nil {
		return err
	}
	known, err := s.Project(ctx, p.Name)
	if err == nil { // only what is not known here
		if known.ToldTeam != "" {
			told.Team = ""
		}
		if known.Number != 0 {
			told.Number = 0
		}
		if len(known.E2eJobs) > 0 {
			told.E2eJobs = nil
		}
		if len(known.Schedules) > 0 {
			told.Schedules = nil
		}
		if len(known.Packages) > 0 {
			told.Packages = nil
		}
	}
	if err := s.SaveProject(ctx, told); err != nil {
		return err
	}
	if p.DefaultBranch == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if _, err := s.db.writer.ExecContext(ctx, "UPDATE projects SET default_branch = $1 WHERE name = $2 AND default_branch IS NULL", p.DefaultBranch, p.Name); err != nil {
		return fmt.Errorf("save a project: %w: %w", ErrAway, err)
	}
	s.projects.forget(p.Name)
	return nil
}

// viewName is what a view that people may query is called.
var viewName = regexp.MustCompile(`^(ci|metrics)_[a-z_]+$`)

// View hands all rows of one of the views that people query to row, as text:
// times as 2026-11-20T10:00:03.250Z, booleans as true and false, and nil for
// null. Columns is called first. It takes as long as it needs.
func (s *Store) View(ctx context.Context, name string, columns func([]string) error, row func([]*string) error) error {
	if !viewName.MatchString(name) {
		return ErrUnknown
	}
	rows, err := s.db.reader.QueryContext(ctx, "SELECT * FROM "+name) //nolint:gosec // a name of ours
	if err != nil {
		return fmt.Errorf("read the view %s: %w", name, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	names, err := rows.Columns()
	if err != nil {
		return fmt.Errorf("read the view %s: %w", name, err)
	}
	if err := columns(names); err != nil {
		return err
	}
	values, at, cells := make([]any, len(names)), make([]any, len(names)), make([]*string, len(names))
	for i := range at {
		at[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(at...); err != nil {
			return fmt.Errorf("read the view %s: %w", name, err)
		}
		for i, v := range values {
			cells[i] = cellOf(names[i], v)
		}
		if err := row(cells); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the view %s: %w", name, err)
	}
	return nil
}

// cellOf is a value as text, the same from both engines. SQLite has no
// booleans, but their columns' names tell.
func cellOf(column string, v any) *string {
	isBoolean := strings.HasPrefix(column, "is_") || strings.HasPrefix(column, "has_") || column == "allow_failure" || column == "manual"
	switch v := v.(type) {
	case nil:
		return nil
	case time.Time:
		return new(v.UTC().Format("2006-01-02T15:04:05.000Z"))
	case []byte:
		return new(string(v))
	case float64:
		return new(strconv.FormatFloat(v, 'f', -1, 64))
	case int64:
		if isBoolean {
			return new(strconv.FormatBool(v != 0))
		}
	}
	return new(fmt.Sprint(v))
}
