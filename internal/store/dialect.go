package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// This file is every line in which the two engines differ. All other SQL is
// one text for both: they share $n parameters, ON CONFLICT and RETURNING, and
// times are stored as Unix milliseconds.

type engine string

const (
	sqliteEngine   engine = "sqlite"
	postgresEngine engine = "postgres"
)

// The limits of one conversation with a database.
const (
	commitTimeout  = 10 * time.Second       // a batch, begin to commit
	entryTimeout   = 200 * time.Microsecond // more for each attempt in it: 30 s for the greatest report
	stmtTimeout    = 60 * time.Second       // the server's own limit of a statement, should we be gone
	connectTimeout = 3 * time.Second
	readTimeout    = 5 * time.Second // a reader holds SQLite's log back no longer
	maxWriters     = 4               // connections to PostgreSQL that write
	maxConnections = 16              // to PostgreSQL; readers of SQLite
)

// locate tells the engine and the address of a database as people write it:
// a path, sqlite:PATH, postgres://, postgresql:// or SQLAlchemy's form.
func locate(database string) (engine, string, error) {
	scheme, rest, found := strings.Cut(database, "://")
	base, _, _ := strings.Cut(scheme, "+")
	switch {
	case found && (base == "postgres" || base == "postgresql"):
		return postgresEngine, "postgres://" + rest, nil
	case found:
		return "", "", fmt.Errorf("the database %q is neither a file nor a postgres:// URL", scheme+"://...")
	}
	path := strings.TrimPrefix(database, "sqlite:")
	if path == "" {
		return "", "", errors.New("the database has no name: give a file, or a postgres:// URL")
	}
	return sqliteEngine, path, nil
}

// pools is an open database.
type pools struct {
	reader, writer *sql.DB
	// source returns the place in a statement where the rows can be read.
	source           func(t *table, rows [][]any) (place func() string, args []any)
	cachesStatements bool
	wired            bool      // a batch's statements can be sent together
	lock             *fileLock // of a SQLite file, if it was asked for
}

// open opens a database; exclusive keeps other processes that ask for the same
// off a SQLite file.
func (e engine) open(address string, exclusive bool) (*pools, error) {
	if e == postgresEngine {
		return openPostgres(address)
	}
	if err := checkFile(address); err != nil {
		return nil, err
	}
	if !exclusive {
		return openSQLite(address)
	}
	lock, err := lockFile(address)
	if err != nil {
		return nil, err
	}
	p, err := openSQLite(address)
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	p.lock = lock
	return p, nil
}

func (p *pools) close() error {
	if p.writer == p.reader {
		return closePostgres(p.writer)
	}
	err := errors.Join(p.reader.Close(), p.writer.Close())
	if p.lock != nil {
		err = errors.Join(err, p.lock.release())
	}
	return err
}

// openMigrations opens a database for migrations. The writer is one connection,
// so that a lock of its session covers all that is done. A statement may take
// as long as it needs; only a lock is not waited for longer than by others.
func (e engine) openMigrations(address string, exclusive bool) (*pools, error) {
	if e != postgresEngine {
		return e.open(address, exclusive)
	}
	config, err := migrationsConfig(address)
	if err != nil {
		return nil, err
	}
	settings := map[string]string{"lock_timeout": timeouts["lock_timeout"]}
	for _, limit := range []string{"statement_timeout", "idle_in_transaction_session_timeout"} {
		delete(config.RuntimeParams, limit)
		settings[limit] = "0"
	}
	db := openSessions(config, settings)
	db.SetMaxOpenConns(1)
	return &pools{reader: db, writer: db}, nil
}

// goose is the engine's name in goose.
func (e engine) goose() goose.Dialect {
	if e == postgresEngine {
		return goose.DialectPostgres
	}
	return goose.DialectSQLite3
}

// canAdopt tells whether a database may be one of the original, which knows
// PostgreSQL alone.
func (e engine) canAdopt() bool { return e == postgresEngine }

// migrationLock keeps several migrators of one database apart. SQLite needs
// none: it has one writer.
func (e engine) migrationLock() (lock.SessionLocker, error) {
	if e != postgresEngine {
		return nil, nil //nolint:nilnil // no lock is an answer
	}
	// Asked for each second, and for up to a day: to take over a database of
	// the original may take long.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 24*60*60))
	if err != nil {
		return nil, fmt.Errorf("make the migrations' lock: %w", err)
	}
	return locker, nil
}

// refuseShards says why tables can't be spread over machines, or nothing.
func (e engine) refuseShards() error {
	if e == sqliteEngine {
		return errors.New("SQLite is one file on one machine: shards are for PostgreSQL with Citus (docs/scale.md)")
	}
	return nil
}

// skipLocked ends a query of rows to take: rows that another replica is taking
// are passed over. SQLite has one writer.
func (e engine) skipLocked() string {
	if e == postgresEngine {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// byIndex follows a table that is to be read by an index. PostgreSQL sees what is
// best. SQLite counts the rows of a partial index when it is told to analyze, and
// may then read a whole table to find a few.
func (e engine) byIndex(name string) string {
	if e == sqliteEngine {
		return " INDEXED BY " + name
	}
	return ""
}

// lockDays is a statement that keeps a packer of days, which is alone, and those
// who write their rows apart until their transactions end. SQLite has one writer.
func (e engine) lockDays(alone bool) string {
	switch {
	case e != postgresEngine:
		return ""
	case alone:
		return "SELECT pg_advisory_xact_lock(hashtext(current_schema()), hashtext('days'))"
	}
	return "SELECT pg_advisory_xact_lock_shared(hashtext(current_schema()), hashtext('days'))"
}

// leadership asks for the right to do what name stands for on behalf of all
// replicas, over a connection of its own. Nil: another replica has it.
func (e engine) leadership(ctx context.Context, s *Store, name string) (*leadership, error) {
	if e != postgresEngine {
		return &leadership{}, nil // one server a file
	}
	_, address, err := locate(cmp.Or(s.config.Direct, s.config.Database))
	if err != nil {
		return nil, err
	}
	config, err := postgresConfig(address)
	if err != nil {
		return nil, err
	}
	pool := openSessions(config, timeouts)
	pool.SetMaxOpenConns(1)
	l, err := s.askToLead(ctx, pool, name)
	if l == nil {
		err = errors.Join(err, pool.Close())
	}
	return l, err
}

// snapshot is the isolation in which all queries of a reader see one state.
// SQLite has no other.
func (e engine) snapshot() sql.IsolationLevel {
	if e == postgresEngine {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// A class is what an error of the database means for the reports of a batch.
type class string

const (
	dataError     class = "data"     // a report does not fit: each report alone
	conflictError class = "conflict" // another writer was in the way: the whole batch again
	awayError     class = "away"     // everything else: the database can't be used now
)

// classify tells the class of an error by its code, never by its text.
func classify(err error) class {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case pg.Code == "40001", pg.Code == "40P01", pg.Code == "55P03":
			return conflictError
		case strings.HasPrefix(pg.Code, "22"), strings.HasPrefix(pg.Code, "23"):
			return dataError
		}
		return awayError
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return conflictError
		case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
			return dataError
		}
	}
	return awayError
}

// unreachable tells whether a failure to open the database may pass by itself:
// the server is not there, is starting or stopping, or has no room.
func unreachable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "53")
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, driver.ErrBadConn)
}

// blame names the file in an error of SQLite, which says what is wrong and not
// with what. PostgreSQL's errors name the server.
func (e engine) blame(path string, err error) error {
	var lite *sqlite.Error
	if e != sqliteEngine || !errors.As(err, &lite) {
		return err
	}
	return fmt.Errorf("the database file %s can't be used: %w", path, err)
}

// hasTable tells whether there is a table of that name where ours are made.
func (e engine) hasTable(ctx context.Context, db database.DBTxConn, name string) (has bool, err error) {
	query := "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1)"
	if e != postgresEngine {
		query = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1)"
	}
	if err := db.QueryRowContext(ctx, query, name).Scan(&has); err != nil {
		return false, fmt.Errorf("look for the table %s: %w", name, err)
	}
	return has, nil
}

// exists tells whether there is a database to look at, without making one.
func (e engine) exists(address string) bool {
	if e == postgresEngine {
		return true // made by others; if not, connecting says so
	}
	_, err := os.Stat(address)
	return !errors.Is(err, os.ErrNotExist)
}
