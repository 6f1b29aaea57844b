package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// ErrTaken is why nothing is made up: a project of that name is a real one.
var ErrTaken = errors.New("there is a project of that name already")

// MarkDemo makes projects of these names whose pipelines are made up, so that
// RemoveDemo finds them. The error is ErrTaken where one is a real project.
func (s *Store) MarkDemo(ctx context.Context, names []string) error {
	for _, name := range names {
		// On PostgreSQL the number is the sequence's; on SQLite the row's.
		if _, err := s.execute(ctx, "INSERT INTO projects (name, is_demo) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, true); err != nil {
			return fmt.Errorf("make a project: %w", err)
		}
		p := project{by: s.byDefault.Load()}
		var isDemo bool
		err := s.readOne(ctx, "SELECT id, is_demo FROM projects WHERE name = $1", []any{name}, &p.id, &isDemo)
		switch {
		case err != nil:
			return err
		case !isDemo:
			return fmt.Errorf("%w: %s", ErrTaken, name)
		}
		s.projects.put(name, p, s.config.Now()) // one removed before had another number
	}
	return nil
}

// HasDemo tells whether there are made-up pipelines. The error is ErrAway.
func (s *Store) HasDemo(ctx context.Context) (bool, error) {
	var n int64
	err := s.readOne(ctx, "SELECT count(*) FROM projects WHERE is_demo", nil, &n)
	return n > 0, err
}

// RemoveDemo removes the made-up projects with all that is theirs, some
// pipelines at a time. It can be called again where it broke off. The error is
// ErrAway, or the context's.
func (s *Store) RemoveDemo(ctx context.Context) error {
	for {
		var id int64
		err := s.readOne(ctx, "SELECT id FROM projects WHERE is_demo ORDER BY id LIMIT 1", nil, &id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return err
		}
		if err := s.removeProject(ctx, id); err != nil {
			return err
		}
	}
}

func (s *Store) removeProject(ctx context.Context, id int64) error {
	if _, err := s.removePipelines(ctx, id, always, math.MaxInt64); err != nil {
		return fmt.Errorf("remove made-up pipelines: %w", err)
	}
	if _, err := s.execute(ctx, "DELETE FROM volumes WHERE project_id = $1", id); err != nil {
		return fmt.Errorf("remove made-up volumes: %w", err)
	}
	// Those that are not over stay: who writes may count on them, and SQLite gives
	// the number to the next project.
	if _, err := s.execute(ctx, "DELETE FROM days WHERE project_id = $1 AND day < $2", id, s.today()); err != nil {
		return fmt.Errorf("remove made-up days: %w", err)
	}
	if _, err := s.execute(ctx, "DELETE FROM project_settings WHERE id = $1", id); err != nil {
		return fmt.Errorf("remove the settings of a made-up project: %w", err)
	}
	if _, err := s.execute(ctx, "DELETE FROM projects WHERE id = $1 AND is_demo", id); err != nil {
		return fmt.Errorf("remove a made-up project: %w", err)
	}
	return nil
}

// readOne reads one row. The error is sql.ErrNoRows or ErrAway.
func (s *Store) readOne(ctx context.Context, query string, args []any, into ...any) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	err := s.db.reader.QueryRowContext(ctx, query, args...).Scan(into...)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}
