package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// The two directories hold the same migrations under the same names; a test
// says so, and that the schemas they make agree.
//
//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// A SchemaError says why the schema of a database can't be used; waiting does
// not help.
type SchemaError struct{ Reason string }

// Error is the reason, as a sentence.
func (e *SchemaError) Error() string { return e.Reason }

// migrate brings the schema up to date, or with Migrate "check" refuses one
// that is not.
func (s *Store) migrate(ctx context.Context) error {
	db, address := s.db.writer, s.config.Direct
	if address != "" {
		_, address, err := locate(address)
		if err != nil {
			return err
		}
		direct, err := s.engine.open(address, false)
		if err != nil {
			return err
		}
		defer func() { _ = direct.close() }() // nothing is left to write
		db = direct.writer
	}
	p, err := s.provider(db)
	if err != nil {
		return err
	}
	if s.config.Migrate == "check" {
		return checkSchema(ctx, p)
	}
	s.config.Progress("bringing the schema up to date", 0, 0)
	if err := refuseNewer(ctx, p); err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func (s *Store) provider(db *sql.DB) (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations/"+string(s.engine))
	if err != nil {
		return nil, fmt.Errorf("find migrations: %w", err)
	}
	dialect, options, err := s.engine.goose()
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(dialect, db, dir, append(options, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// refuseNewer keeps an old program off a newer schema.
func refuseNewer(ctx context.Context, p *goose.Provider) error {
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if have > want {
		return &SchemaError{fmt.Sprintf("the database has schema version %d and this program knows %d: run a newer program, or migrate down with it", have, want)}
	}
	return nil
}

func checkSchema(ctx context.Context, p *goose.Provider) error {
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if have != want {
		return &SchemaError{fmt.Sprintf("the database has schema version %d, this program needs %d: run `pipeline-metrics-collector migrate up`, or serve with --migrate auto", have, want)}
	}
	return nil
}
