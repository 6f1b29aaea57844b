package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/pressly/goose/v3"
)

const newMigration = `-- What changes, and why. A table of facts is made as docs/scale.md says.

-- +goose Up

-- +goose Down
`

var notInName = regexp.MustCompile(`[^a-z0-9_]`)

// CreateMigration writes an empty migration for each engine into the
// directories sqlite and postgres of dir, with the next number, and returns
// the files' names. They are part of the program once it is built again.
func CreateMigration(dir, name string) (files []string, err error) {
	if name == "" || notInName.MatchString(name) {
		return nil, fmt.Errorf("the name %q must be lower case letters, digits and underscores", name)
	}
	engines := []engine{sqliteEngine, postgresEngine}
	var next int64
	for _, e := range engines {
		last, err := lastNumber(filepath.Join(dir, string(e)))
		if err != nil {
			return nil, err
		}
		next = max(next, last+1)
	}
	for _, e := range engines {
		path := filepath.Join(dir, string(e), fmt.Sprintf("%05d_%s.sql", next, name))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // source code, for all to read
		if err != nil {
			return files, fmt.Errorf("the migration can't be written: %w", err)
		}
		_, err = f.WriteString(newMigration)
		if err = errors.Join(err, f.Close()); err != nil {
			return files, fmt.Errorf("the migration can't be written: %w", err)
		}
		files = append(files, path)
	}
	return files, nil
}

// lastNumber is the greatest number of a migration in the directory.
func lastNumber(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("the directory of migrations can't be read; call it where the source is, or say --dir: %w", err)
	}
	var last int64
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".sql" {
			continue
		}
		n, err := goose.NumericComponent(e.Name())
		if err != nil {
			return 0, fmt.Errorf("the file %s is no migration: %w", filepath.Join(dir, e.Name()), err)
		}
		last = max(last, n)
	}
	return last, nil
}
