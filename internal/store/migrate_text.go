package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pressly/goose/v3/database"
)

// A takeover applies all migrations in a transaction of its own, which goose
// can't do: it has one for each.

// half returns the SQL of a migration, up or down. A file has no statement
// that must run outside a transaction; a test holds that.
func (m *Migrator) half(file VersionFile, up bool) (string, error) {
	dir, err := m.engine.migrations()
	if err != nil {
		return "", err
	}
	text, err := fs.ReadFile(dir, file.Name)
	if err != nil {
		return "", fmt.Errorf("read the migration %s: %w", file.Name, err)
	}
	_, body, _ := strings.Cut(string(text), "-- +goose Up\n")
	upward, downward, _ := strings.Cut(body, "-- +goose Down\n")
	if up {
		return upward, nil
	}
	return downward, nil
}

// runUp applies all migrations.
func (m *Migrator) runUp(ctx context.Context, tx *sql.Tx) error {
	m.config.Progress("taking over the original's database: making tables", 0, 0)
	files, err := m.files()
	if err != nil {
		return err
	}
	versions, err := m.engine.versions()
	if err != nil {
		return err
	}
	if err := makeVersions(ctx, tx, m.engine, versions); err != nil {
		return err
	}
	for _, f := range files {
		text, err := m.half(f, true)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("apply %s: %w", f.Name, err)
		}
		if err := versions.Insert(ctx, tx, database.InsertRequest{Version: f.Version}); err != nil {
			return fmt.Errorf("note %s: %w", f.Name, err)
		}
	}
	return nil
}

// makeVersions makes goose's table as goose does, if it is not there.
func makeVersions(ctx context.Context, tx *sql.Tx, e engine, versions database.Store) error {
	has, err := e.hasTable(ctx, tx, versions.Tablename())
	if err != nil || has {
		return err
	}
	if err := versions.CreateVersionTable(ctx, tx); err != nil {
		return fmt.Errorf("make the table of versions: %w", err)
	}
	return versions.Insert(ctx, tx, database.InsertRequest{Version: 0})
}

// runDown takes back the migrations up to version from, and goose's table.
func (m *Migrator) runDown(ctx context.Context, tx *sql.Tx, from int64) error {
	files, err := m.files()
	if err != nil {
		return err
	}
	for _, f := range slices.Backward(files) {
		if f.Version > from {
			continue
		}
		text, err := m.half(f, false)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("take back %s: %w", f.Name, err)
		}
	}
	versions, err := m.engine.versions()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DROP TABLE "+versions.Tablename())
	return err
}
