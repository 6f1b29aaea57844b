package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
)

// What a connection of one engine or the other needs; which engine it is, is
// asked in dialect.go.

func openPostgres(address string) (*pools, error) {
	config, err := postgresConfig(address)
	if err != nil {
		return nil, err
	}
	reader := openSessions(config, timeouts)
	reader.SetMaxOpenConns(maxConnections)
	reader.SetMaxIdleConns(maxConnections)
	// Another mode is for a pooler that hands out connections by transaction: it
	// may not take what is not prepared for it, and what one session is set to
	// another would find.
	own := config.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement
	settings := maps.Clone(timeouts)
	if own {
		// The writer finds rows by their keys alone. A plan that was kept from when
		// the tables were empty would read all of them until the first ANALYZE.
		for _, way := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
			settings[way] = "off"
		}
	}
	writer := openSessions(config, settings)
	writer.SetMaxOpenConns(maxWriters)
	writer.SetMaxIdleConns(maxWriters)
	return &pools{reader: reader, writer: writer, source: unnest, cachesStatements: true, wired: own}, nil
}

// timeouts are settings of each session, in milliseconds.
var timeouts = map[string]string{
	"statement_timeout": strconv.FormatInt(stmtTimeout.Milliseconds(), 10),
	"lock_timeout":      strconv.FormatInt(commitTimeout.Milliseconds(), 10),
}

// openSessions gives each connection its settings, but for those that the
// address names. A pooler refuses a connection that brings them at its start.
func openSessions(config *pgx.ConnConfig, settings map[string]string) *sql.DB {
	var text strings.Builder
	for name, value := range settings {
		if _, said := config.RuntimeParams[name]; !said {
			text.WriteString("SET " + name + " = " + value + ";")
		}
	}
	return stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.PgConn().Exec(ctx, text.String()).ReadAll()
		return err
	}))
}

func postgresConfig(address string) (*pgx.ConnConfig, error) {
	config, err := migrationsConfig(address)
	if err != nil {
		return nil, err
	}
	if _, set := config.RuntimeParams["TimeZone"]; !set {
		config.RuntimeParams["TimeZone"] = "UTC"
	}
	return config, nil
}

// migrationsConfig leaves the session its own time zone: in that one the
// original wrote its times.
func migrationsConfig(address string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("the database's address can't be read: %w", err)
	}
	config.ConnectTimeout = connectTimeout
	if _, set := config.RuntimeParams["application_name"]; !set {
		config.RuntimeParams["application_name"] = "pipeline-metrics-collector"
	}
	return config, nil
}

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

func openSQLite(path string) (*pools, error) {
	// An own driver for each database: its modules are this store's alone.
	d := &sqlite.Driver{}
	staged := map[string]*stage{}
	for _, t := range tables {
		staged[t.staged()] = &stage{table: t}
		if err := d.RegisterModule(t.staged(), staged[t.staged()]); err != nil {
			return nil, fmt.Errorf("register %s: %w", t.staged(), err)
		}
	}
	file := "file:" + (&url.URL{Path: path}).EscapedPath()
	const common = "?_pragma=busy_timeout(5000)&_pragma=cache_size(-4000)&_pragma=temp_store(2)"
	const write = common + "&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=journal_size_limit(67108864)&_txlock=immediate"
	writer := sql.OpenDB(connector{d, file + write, createStages})
	writer.SetMaxOpenConns(1) // SQLite has one writer; let it wait here, not on a lock
	writer.SetConnMaxIdleTime(0)
	reader := sql.OpenDB(connector{d, file + common + "&_pragma=query_only(1)", ""})
	reader.SetMaxOpenConns(maxConnections)
	return &pools{reader: reader, writer: writer, source: func(t *table, rows [][]any) (func() string, []any) {
		staged[t.staged()].rows = rows
		return func() string { return "temp." + t.staged() + " AS staged" }, nil
	}}, nil
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
