package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// inForce are the definitions by which the rows of a project are derived.
type inForce struct {
	ci.Definitions
	hash string
}

// ofServer is the id of the settings that the server was started with.
const ofServer = 0

// serverDefinitions are the configured ones, which it keeps, or else those that
// were kept: a command beside a server derives as the server does.
func (s *Store) serverDefinitions(ctx context.Context) (*inForce, error) {
	by := ci.DefaultDefinitions()
	kept, err := s.keptSettings(ctx, ofServer)
	if err != nil {
		return nil, err
	}
	var settings ci.Settings
	if kept != "" {
		if err := json.Unmarshal([]byte(kept), &settings); err != nil {
			return nil, fmt.Errorf("read the server's settings: %w", err)
		}
	}
	by = settings.Definitions(by)
	if d := s.config.Definitions; d != nil && (kept == "" || d.Hash() != by.Hash()) {
		by = *d
		if err := s.keepSettings(ctx, s.db.writer, ofServer, settingsOf(by)); err != nil {
			return nil, err
		}
	}
	return &inForce{by, by.Hash()}, nil
}

func settingsOf(by ci.Definitions) ci.Settings {
	return ci.Settings{Phases: by.Phases, LateAfterS: new(by.LateAfter.Seconds())}
}

// KeepDefinitions makes valid definitions those of the server, where none was
// started on this database yet. It tells whether they are in force.
func (s *Store) KeepDefinitions(ctx context.Context, by ci.Definitions) (bool, error) {
	hash := by.Hash()
	if hash == s.byDefault.Load().hash {
		return true, nil
	}
	kept, err := s.keptSettings(ctx, ofServer)
	if err != nil || kept != "" {
		return false, err
	}
	if err := s.keepSettings(ctx, s.db.writer, ofServer, settingsOf(by)); err != nil {
		return false, fmt.Errorf("%w: %w", ErrAway, err)
	}
	s.byDefault.Store(&inForce{by, hash})
	s.projects.forgetAll()
	return true, nil
}

func (s *Store) keptSettings(ctx context.Context, id int64) (text string, err error) {
	err = s.read(ctx, "SELECT settings FROM project_settings WHERE id = $1", func(rows *sql.Rows) error { return rows.Scan(&text) }, id)
	return text, err
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s *Store) keepSettings(ctx context.Context, db execer, id int64, settings ci.Settings) error {
	text, err := json.Marshal(settings.Kept())
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	const query = `INSERT INTO project_settings (id, settings, changed_ms) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, changed_ms = excluded.changed_ms`
	if _, err := db.ExecContext(ctx, query, id, string(text), s.config.Now().UnixMilli()); err != nil {
		return fmt.Errorf("keep settings: %w", err)
	}
	return nil
}

// definitionsOf are those of a project with these settings.
func (s *Store) definitionsOf(name, settings string) *inForce {
	if settings == "" {
		return s.byDefault.Load()
	}
	var own ci.Settings
	if err := json.Unmarshal([]byte(settings), &own); err != nil {
		s.config.Log.Error("the settings of a project can't be read; it is as the server was started", "project", name, "error", err)
		return s.byDefault.Load()
	}
	by := own.Definitions(s.byDefault.Load().Definitions)
	hash := by.Hash()
	if hash == s.byDefault.Load().hash {
		return s.byDefault.Load()
	}
	one, _ := s.definitions.LoadOrStore(hash, &inForce{by, hash})
	return one.(*inForce) //nolint:forcetypeassert // nothing else is in there
}

// DefinitionsOf are those in force for a project, which need not be stored yet.
func (s *Store) DefinitionsOf(ctx context.Context, project string) (ci.Definitions, error) {
	p, err := s.Project(ctx, project)
	if errors.Is(err, ErrUnknown) {
		return s.byDefault.Load().Definitions, nil
	}
	if err != nil {
		return ci.Definitions{}, err
	}
	text, err := s.keptSettings(ctx, p.ID)
	return s.definitionsOf(project, text).Definitions, err
}

// ServerDefinitions are those in force for projects without their own.
func (s *Store) ServerDefinitions() ci.Definitions { return s.byDefault.Load().Definitions }

// Settings returns what was decided on a project; empty: nothing.
func (s *Store) Settings(ctx context.Context, p Project) (settings ci.Settings, err error) {
	text, err := s.keptSettings(ctx, p.ID)
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &settings)
	}
	settings.DefaultBranch, settings.Team = p.DefaultBranch, p.DecidedTeam
	return settings, err
}

// SetSettings puts valid settings of a project in the place of those that it
// has; a team that clients told stays, and counts where none was decided. Other replicas take them within a minute; rows that are there are
// derived again in the background (see Recompute).
func (s *Store) SetSettings(ctx context.Context, p Project, settings ci.Settings) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	tx, err := s.db.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	if _, err := tx.ExecContext(ctx, "UPDATE projects SET default_branch = $1, decided_team = $2 WHERE id = $3", nullText(settings.DefaultBranch), nullText(settings.Team), p.ID); err != nil {
		return fmt.Errorf("%w: set the default branch and the team: %w", ErrAway, err)
	}
	if err := s.keepSettings(ctx, tx, p.ID, settings); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	s.projects.forget(p.Name)
	s.pending.forget()
	s.decided.Add(1)
	return nil
}

// Decided counts how often settings were saved here: what was made of them
// before it changed is out of date.
func (s *Store) Decided() int64 { return s.decided.Load() }

// A derivedProject is a project and what its rows are derived by.
type derivedProject struct {
	project
	name    string
	known   string // the hash that all rows are known to have
	changed time.Time
}

func (d *derivedProject) clean() bool { return d.known == d.by.hash }

// derived returns all projects, or the one that is named.
func (s *Store) derived(ctx context.Context, only int64) (all []derivedProject, err error) {
	const query = `SELECT p.id, COALESCE(p.name, ''), p.default_branch, c.settings, c.derived_hash, c.changed_ms
		FROM projects p LEFT JOIN project_settings c ON c.id = p.id WHERE CAST($1 AS BIGINT) = 0 OR p.id = $1 ORDER BY p.id`
	err = s.read(ctx, query, func(rows *sql.Rows) error {
		var d derivedProject
		var branch, settings, known sql.NullString
		var changed sql.NullInt64
		err := rows.Scan(&d.id, &d.name, &branch, &settings, &known, &changed)
		d.defaultBranch, d.known, d.changed = branch.String, known.String, timeOf(changed)
		d.by = s.definitionsOf(d.name, settings.String)
		all = append(all, d)
		return err
	}, only)
	return all, err
}
