package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A project as the write path needs it.
type project struct {
	id            int64
	defaultBranch string
	by            *inForce // equal definitions are one pointer
}

// A projectCache remembers projects by name, so that a known name causes no
// write and a hot project's row is no bottleneck of several replicas.
type projectCache struct {
	mu     sync.Mutex
	byName map[string]cachedProject
}

type cachedProject struct {
	project
	until time.Time
}

const (
	projectTTL        = time.Minute // how long another replica's change of a default branch may go unseen
	maxCachedProjects = 100_000
)

func (c *projectCache) get(name string, now time.Time) (project, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, known := c.byName[name]
	return p.project, known && now.Before(p.until)
}

func (c *projectCache) put(name string, p project, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil || len(c.byName) >= maxCachedProjects {
		c.byName = map[string]cachedProject{}
	}
	c.byName[name] = cachedProject{p, now.Add(projectTTL)}
}

// forget makes the next report ask the database anew.
func (c *projectCache) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byName, name)
}

// forgetAll is forget for each project.
func (c *projectCache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byName = nil
}

// resolve returns the projects of the batch, making those that are new: in a
// transaction of its own and in order of their names, so that writers can't
// wait for each other in a circle.
func (s *Store) resolve(ctx context.Context, batch []*request) (map[string]project, error) {
	found := map[string]project{}
	var unknown []string
	now := s.config.Now()
	for _, q := range batch {
		if q.delivery != nil {
			continue
		}
		name := q.report.Project
		if _, seen := found[name]; seen {
			continue
		}
		p, cached := s.projects.get(name, now)
		found[name] = p
		if !cached {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return found, nil
	}
	slices.Sort(unknown)
	if unknown[0] == "" {
		p, err := s.namelessProject(ctx)
		if err != nil {
			return nil, fmt.Errorf("find projects: %w", err)
		}
		found[""], unknown = p, unknown[1:]
		if len(unknown) == 0 {
			return found, nil
		}
	}
	missing, err := s.readProjects(ctx, unknown, found)
	if err == nil && len(missing) > 0 {
		if err = s.insertProjects(ctx, missing); err == nil {
			_, err = s.readProjects(ctx, missing, found)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find projects: %w", err)
	}
	return found, nil
}

// namelessProject is the project of adopted pipelines that name none; an import
// brings them to a database that has none yet.
func (s *Store) namelessProject(ctx context.Context) (p project, err error) {
	const find, add = "SELECT max(id) FROM projects WHERE name IS NULL", "INSERT INTO projects (name) SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM projects WHERE name IS NULL)"
	var id sql.NullInt64
	if err = s.db.writer.QueryRowContext(ctx, find).Scan(&id); err == nil && !id.Valid {
		if _, err = s.db.writer.ExecContext(ctx, add); err == nil {
			err = s.db.writer.QueryRowContext(ctx, find).Scan(&id)
		}
	}
	return project{id: id.Int64, by: s.byDefault.Load()}, err
}

var insertProjectsStatement = statement{projectsTable, projectsTable.insert("%s") + " ORDER BY name ON CONFLICT (name) DO NOTHING"}

func (s *Store) insertProjects(ctx context.Context, names []string) error {
	tx, err := s.db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	if err := s.exec(ctx, tx, insertProjectsStatement, namesAsRows(names)); err != nil {
		return err
	}
	return tx.Commit()
}

// readProjects adds the projects to found and the cache, and returns the
// names that are not there.
func (s *Store) readProjects(ctx context.Context, names []string, found map[string]project) (missing []string, err error) {
	tx, err := s.db.writer.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	read := map[string]bool{}
	query := statement{projectsTable, `SELECT p.id, p.name, p.default_branch, c.settings
		FROM %s CROSS JOIN projects p LEFT JOIN project_settings c ON c.id = p.id WHERE p.name = staged.name`}
	err = s.query(ctx, tx, query, namesAsRows(names), func(rows *sql.Rows) error {
		var (
			p                project
			name             string
			branch, settings sql.NullString
		)
		if err := rows.Scan(&p.id, &name, &branch, &settings); err != nil {
			return err
		}
		p.defaultBranch, p.by = branch.String, s.definitionsOf(name, settings.String)
		found[name], read[name] = p, true
		s.projects.put(name, p, s.config.Now())
		return nil
	})
	for _, n := range names {
		if !read[n] {
			missing = append(missing, n)
		}
	}
	return missing, err
}

func namesAsRows(names []string) [][]any {
	rows := make([][]any, len(names))
	for i, n := range names {
		rows[i] = []any{n}
	}
	return rows
}
