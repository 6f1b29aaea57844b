package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"modernc.org/sqlite"
)

// What a connection of one engine or the other needs; which engine it is, is
// asked in dialect.go.

// closePostgres says goodbye on every connection; a server that does not answer
// finds out by itself. Nothing is lost by that: what was committed is durable.
func closePostgres(db *sql.DB) error {
	done := make(chan error, 1)
	go func() { done <- db.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(connectTimeout):
		return nil
	}
}

// createStages makes one staged table on a new connection.
const createStages = "CREATE VIRTUAL TABLE IF NOT EXISTS temp.%[1]s USING %[1]s()"

type connector struct {
	driver *sqlite.Driver
	dsn    string
	stages string // the statement that makes a staged table; empty: none
}

// Connect opens a connection and makes its staged tables.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil || c.stages == "" {
		return conn, err
	}
	for _, t := range tables {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, fmt.Sprintf(c.stages, t.staged()), nil); err != nil {
			return nil, errors.Join(fmt.Errorf("make %s: %w", t.staged(), err), conn.Close())
		}
	}
	return conn, nil
}

func (c connector) Driver() driver.Driver { return c.driver }

// checkFile refuses a SQLite file that can't be written, before the engine
// would say so less clearly.
func checkFile(path string) error {
	const mayWrite = 2
	dir := filepath.Dir(path)
	if err := syscall.Access(dir, mayWrite); err != nil {
		return fmt.Errorf("the directory %s can't be written, and SQLite needs that for the journal of %s: %w", dir, path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("the database file can't be opened for writing: %w", err)
	}
	return f.Close()
}
