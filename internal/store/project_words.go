package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A Project is a repository by its full path.
type Project struct {
	ID            int64
	Name          string
	DefaultBranch string // empty: nobody has said which
	ToldTeam      string // whose it is, as a client told; empty: none did
	DecidedTeam   string // the same, as people decided; empty: nobody has
	Number        int64  // the CI's own; 0: nobody has said
	E2eJobs       []string
	Schedules     []ci.Schedule
	Packages      map[string]string // versions by name
}

// Team is whose the project is: what people decided stands before what clients
// told. Empty: nobody has said.
func (p *Project) Team() string { return cmp.Or(p.DecidedTeam, p.ToldTeam) }

// SaveProject keeps what a client told of a project. An empty list leaves the
// stored one as it is. The error is an *ci.InvalidError or ErrAway.
func (s *Store) SaveProject(ctx context.Context, p ci.Project) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if s.away.Load() {
		return ErrAway
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	jobs, err := listText(p.E2eJobs, len(p.E2eJobs))
	if err != nil {
		return err
	}
	schedules, err := listText(p.Schedules, len(p.Schedules))
	if err != nil {
		return err
	}
	packages, err := listText(p.Packages, len(p.Packages))
	if err != nil {
		return err
	}
	const query = `INSERT INTO projects (name, team, ci_number, e2e_jobs, schedules, packages) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (name) DO UPDATE SET team = COALESCE(excluded.team, projects.team), ci_number = COALESCE(excluded.ci_number, projects.ci_number),
			e2e_jobs = COALESCE(excluded.e2e_jobs, projects.e2e_jobs), schedules = COALESCE(excluded.schedules, projects.schedules),
			packages = COALESCE(excluded.packages, projects.packages)`
	number := sql.NullInt64{Int64: p.Number, Valid: p.Number != 0}
	if _, err := s.db.writer.ExecContext(ctx, query, p.Name, nullText(p.Team), number, jobs, schedules, packages); err != nil {
		return fmt.Errorf("save a project: %w: %w", ErrAway, err)
	}
	return nil
}

// listText is a list as it is stored; null where it is empty.
func listText(list any, n int) (any, error) {
	if n == 0 {
		return nil, nil //nolint:nilnil // null is an answer
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("write a list: %w", err)
	}
	return string(text), nil
}

const projectColumns = "id, name, default_branch, team, decided_team, ci_number, e2e_jobs, schedules, packages"

// Projects returns up to limit projects in order of their names, as the
// database sorts text, from the one after the named on.
func (s *Store) Projects(ctx context.Context, after string, limit int) (all []Project, err error) {
	const query = `SELECT ` + projectColumns + ` FROM projects WHERE name > $1 ORDER BY name LIMIT $2`
	err = s.read(ctx, query, func(rows *sql.Rows) error {
		p, err := scanProject(rows)
		all = append(all, p)
		return err
	}, after, min(limit, MaxPage))
	return all, err
}

// Project finds a project by its name, or fails with ErrUnknown.
func (s *Store) Project(ctx context.Context, name string) (p Project, err error) {
	err = s.read(ctx, "SELECT "+projectColumns+" FROM projects WHERE name = $1", func(rows *sql.Rows) (err error) {
		p, err = scanProject(rows)
		return err
	}, name)
	if err == nil && p.ID == 0 {
		err = ErrUnknown
	}
	return p, err
}

func scanProject(rows *sql.Rows) (p Project, err error) {
	var branch, told, decided, jobs, schedules, packages sql.NullString
	var number sql.NullInt64
	if err := rows.Scan(&p.ID, &p.Name, &branch, &told, &decided, &number, &jobs, &schedules, &packages); err != nil {
		return p, err
	}
	p.DefaultBranch, p.ToldTeam, p.DecidedTeam, p.Number = branch.String, told.String, decided.String, number.Int64
	for _, list := range []struct {
		text sql.NullString
		into any
	}{{jobs, &p.E2eJobs}, {schedules, &p.Schedules}, {packages, &p.Packages}} {
		if !list.text.Valid {
			continue
		}
		if err := json.Unmarshal([]byte(list.text.String), list.into); err != nil {
			return p, fmt.Errorf("read a list of project %d: %w", p.ID, err)
		}
	}
	return p, nil
}
