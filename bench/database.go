package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// An engine is a kind of database.
type engine string

const (
	postgres engine = "PostgreSQL"
	sqlite   engine = "SQLite"
)

// A database is an empty one, made for one measurement.
type database struct {
	engine engine
	url    string // as --database takes it
	// process is the first process of the database's own, 0 if it has none or
	// they run elsewhere.
	process int
	drop    func() error
}

// A cluster is a running PostgreSQL where we may create databases.
type cluster struct {
	url     *url.URL
	made    int
	process int    // id of its first process, 0 when it runs elsewhere
	version string // with the settings that matter
}

// openCluster refuses a server that would not lose its speed on a real disk:
// with fsync off every figure would be a lie.
func openCluster(ctx context.Context, address string) (c *cluster, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the URL of PostgreSQL: %w", err)
	}
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	c = &cluster{url: u}
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		if err := ensureOn(ctx, conn, name); err != nil {
			return nil, err
		}
	}
	var version, buffers string
	var backend int
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('shared_buffers'), pg_backend_pid()`).
		Scan(&version, &buffers, &backend)
	if err != nil {
		return nil, err
	}
	c.version = version + ", shared_buffers " + buffers + ", fsync, full_page_writes and synchronous_commit on"
	if p, err := readProcess(backend); err == nil {
		c.process = p.parent
	}
	return c, nil
}

// ensureOn switches a setting of durability on, if it is off.
func ensureOn(ctx context.Context, conn *pgx.Conn, name string) error {
	var value string
	for _, try := range []string{"", "ALTER SYSTEM SET " + name + " = on", "SELECT pg_reload_conf(), pg_sleep(0.2)"} {
		if try != "" {
			if _, err := conn.Exec(ctx, try); err != nil {
				return fmt.Errorf("switching %s on: %w", name, err)
			}
		}
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return err
		}
		if value == "on" {
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL runs with %s=%s, and it can't be switched on: start the server without that option", name, value)
}

// fresh creates an empty database.
func (c *cluster) fresh(ctx context.Context) (database, error) {
	c.made++
	name := fmt.Sprintf("bench_%d_%d", os.Getpid(), c.made)
	// The checkpoint leaves nothing of the last measurement to be written.
	if err := c.exec(ctx, "CREATE DATABASE "+name, "CHECKPOINT"); err != nil {
		return database{}, fmt.Errorf("creating a database: %w", err)
	}
	u := *c.url
	u.Path = "/" + name
	return database{
		engine: postgres, url: u.String(), process: c.process,
		drop: func() error {
			ctx := context.WithoutCancel(ctx)
			return c.exec(ctx,
				"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'",
				"DROP DATABASE "+name)
		},
	}, nil
}

func (c *cluster) exec(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, c.url.String())
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, e := conn.Exec(ctx, s); e != nil {
			err = fmt.Errorf("%s: %w", s, e)
			break
		}
	}
	return errors.Join(err, conn.Close(ctx))
}

// freshSQLite gives the path of a file that does not exist yet.
func freshSQLite(dir string) (database, error) {
	sub, err := os.MkdirTemp(dir, "sqlite-")
	return database{
		engine: sqlite, url: filepath.Join(sub, "bench.db"),
		drop: func() error { return os.RemoveAll(sub) },
	}, err
}

// open opens the database beside the server that writes it.
func (d database) open() (*sql.DB, error) {
	if d.engine == postgres {
		return sql.Open("pgx", d.url)
	}
	return sql.Open("sqlite", sqliteURI(d.url))
}

// sqliteURI escapes a path and asks for full durability.
func sqliteURI(path string) string {
	u := url.URL{Scheme: "file", Path: path}
	q := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)"}}
	u.RawQuery = q.Encode()
	return u.String()
}

func sqliteVersion(ctx context.Context) (version string, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version)
	return version, err
}

// stored counts the rows of the original's four tables, or of the views of
// the same names, in the order of the schema.
func (d database) stored(ctx context.Context) (counts [4]int64, err error) {
	db, err := d.open()
	if err != nil {
		return counts, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM metrics_pipeline), (SELECT count(*) FROM metrics_job),
		(SELECT count(*) FROM metrics_build), (SELECT count(*) FROM metrics_job_failed)`).
		Scan(&counts[0], &counts[1], &counts[2], &counts[3])
	return counts, err
}
