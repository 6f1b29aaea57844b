// Package filled makes databases with more pipelines than anybody would wait
// for: a few are saved as any report is, and then copied in SQL to other times
// and other projects, all their rows with them, and packed as a server does. It
// is for benches and tests, never for what people keep.
package filled

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// apart is how much earlier a copy of [Busier] is than the one before: so that
// the hours and days of people stay theirs.
const apart = 2 * time.Minute

// Busier copies all pipelines of a project until it has at least so many. No
// server may have the database open meanwhile.
func Busier(ctx context.Context, url, project string, pipelines int64) error {
	return fill(ctx, url, func(d database) error {
		var there int64
		err := d.QueryRowContext(ctx, "SELECT count(*) FROM pipelines p JOIN projects r ON r.id = p.project_id WHERE r.name = $1", project).Scan(&there)
		if err != nil || there == 0 {
			return errors.Join(err, fmt.Errorf("project %s has %d pipelines to copy", project, there))
		}
		return d.copy(ctx, project, int((pipelines+there-1)/there), apart, 0, 0)
	})
}

// fill opens a database for what writes rows past the store, and packs it.
func fill(ctx context.Context, url string, write func(database) error) error {
	d, err := open(ctx, url)
	if err != nil {
		return err
	}
	if err = write(d); err == nil {
		err = d.settle(ctx)
	}
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	return Pack(ctx, url)
}

// Pack does at once what a server does in the background.
func Pack(ctx context.Context, url string) error {
	s, err := store.Open(ctx, store.Config{Database: url})
	if err != nil {
		return err
	}
	if _, err = s.PackDays(ctx, 0); err == nil {
		err = s.PackVolumes(ctx, 0)
	}
	return errors.Join(err, s.Close())
}

// A database is filled by one connection, which writes each page once and waits
// for no disk: what is left after a crash is for nobody.
type database struct {
	*sql.DB
	postgres bool
}

func open(ctx context.Context, at string) (database, error) {
	if strings.HasPrefix(at, "postgres") {
		db, err := sql.Open("pgx", at)
		return database{DB: db, postgres: true}, err
	}
	file := url.URL{Scheme: "file", Path: at, RawQuery: "_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", file.String())
	if err != nil {
		return database{}, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA cache_size = -200000; PRAGMA temp_store = 2"); err != nil {
		return database{}, errors.Join(err, db.Close())
	}
	return database{DB: db}, nil
}

// settle says of all days that they are to be packed, since rows were written
// that the store knows nothing of, and leaves the database as one that has been
// used for long.
func (d database) settle(ctx context.Context) error {
	analyze := "ANALYZE"
	if d.postgres {
		analyze = "VACUUM ANALYZE"
	}
	for _, text := range []string{
		"INSERT INTO days (project_id, day) SELECT DISTINCT project_id, created_ms / 86400000 FROM pipelines WHERE true ON CONFLICT DO NOTHING",
		"UPDATE days SET body = NULL, steps = NULL, packing = NULL",
		analyze,
	} {
		if _, err := d.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("settle: %w", err)
		}
	}
	return nil
}
