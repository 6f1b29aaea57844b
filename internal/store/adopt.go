package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Taking over a database of the original in place, in one transaction. The
// original knows PostgreSQL alone, and so does the SQL of the adopt files.

// An Adoption says what taking over a database of the original did, or would do.
type Adoption struct {
	Revision   string // of the original's schema
	Timezone   string // in which created_at is read; empty: it holds instants
	Newest     time.Time
	Tables     []AdoptedTable
	Dependents []string // views of others that are redefined
}

// An AdoptedTable is one of the original's tables and what becomes of its rows.
type AdoptedTable struct {
	Name        string
	Rows, Taken int64
	Left        []LeftRows // rows that stay in the old table alone
}

// LeftRows are rows that are not taken over.
type LeftRows struct {
	Reason string
	Rows   int64
}

const legacyPrefix = "legacy_"

// originalTables are the four that become views, pipelines first.
var originalTables = []string{"metrics_pipeline", "metrics_build", "metrics_job", "metrics_job_failed"}

// adoptedRevisions are the revisions that we know, with what each has more.
var adoptedRevisions = map[string]struct{ projectNumber, runners bool }{
	"5684fb25dcfd": {},
	"43eff8f33449": {projectNumber: true},
	"a1b2c3d4e5f6": {projectNumber: true, runners: true},
}

// An origin is a database of the original as it was found.
type origin struct {
	revision               string
	projectNumber, runners bool
	instants               bool   // created_at has a zone of its own
	zone                   string // of created_at
}

// at is the instant of created_at of the row named p.
func (o *origin) at() string {
	if o.instants {
		return "p.created_at"
	}
	return "p.created_at AT TIME ZONE " + quoteText(o.zone)
}

// adopt takes the database over, or changes nothing.
func (m *Migrator) adopt(ctx context.Context, db *sql.DB, done *Migrated) error {
	if err := m.refusePart(done.To); err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to take over the original's database: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	adoption, err := m.takeOver(ctx, conn, tx)
	if err == nil {
		m.config.Progress("taking over the original's database: commit", 0, 0)
		err = tx.Commit()
	}
	if err != nil {
		return notTakenOver(err)
	}
	done.Adopted = adoption
	return nil
}

// refusePart refuses a version that is not the latest: the rows are copied into
// the schema as it is now.
func (m *Migrator) refusePart(version int64) error {
	latest, err := m.latest()
	if err == nil && version != latest {
		err = &SchemaError{fmt.Sprintf("the database is one of the original, which is brought to version %d at once: leave the version out", latest)}
	}
	return err
}

// notTakenOver says that all is as it was.
func notTakenOver(err error) error {
	if schema, ok := errors.AsType[*SchemaError](err); ok {
		return schema // a sentence of its own
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "55P03" {
		return &SchemaError{"the original's tables are in use: stop the original and whatever else works on them, and try again. Nothing has changed"}
	}
	return fmt.Errorf("the original's database could not be taken over, and nothing has changed: %w", err)
}

// takeOver does all of it in the transaction.
func (m *Migrator) takeOver(ctx context.Context, conn *sql.Conn, tx *sql.Tx) (*Adoption, error) {
	m.config.Progress("taking over the original's database: waiting for its tables", 0, 0)
	o, err := m.readOrigin(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, t := range originalTables {
		if _, err := tx.ExecContext(ctx, "LOCK TABLE "+t+" IN ACCESS EXCLUSIVE MODE"); err != nil {
			return nil, fmt.Errorf("lock %s: %w", t, err)
		}
	}
	m.config.Progress("taking over the original's database: counting", 0, 0)
	adoption, err := o.survey(ctx, tx)
	if err != nil {
		return nil, err
	}
	moved, err := m.beginMove(ctx, tx, originalTables)
	if err != nil {
		return nil, err
	}
	adoption.Dependents = moved.names()
	for _, t := range originalTables {
		if _, err := tx.ExecContext(ctx, "ALTER TABLE "+t+" RENAME TO "+legacyPrefix+t); err != nil {
			return nil, fmt.Errorf("rename %s: %w", t, err)
		}
	}
	if err := m.runUp(ctx, tx); err != nil {
		return nil, err
	}
	if err := m.copyOriginal(ctx, conn, tx, o, adoption); err != nil {
		return nil, err
	}
	if err := moved.end(ctx, tx); err != nil {
		return nil, err
	}
	return adoption, remember(ctx, tx, o)
}

// remember writes down what the way back must know.
func remember(ctx context.Context, tx *sql.Tx, o *origin) error {
	zone := sql.NullString{String: o.zone, Valid: !o.instants}
	_, err := tx.ExecContext(ctx, "CREATE TABLE "+adoptionTable+" (revision TEXT NOT NULL, time_zone TEXT, adopted_at TIMESTAMPTZ NOT NULL DEFAULT now())")
	if err == nil {
		_, err = tx.ExecContext(ctx, "INSERT INTO "+adoptionTable+" (revision, time_zone) VALUES ($1, $2)", o.revision, zone)
	}
	if err != nil {
		return fmt.Errorf("remember the adoption: %w", err)
	}
	return nil
}

// adoptionTable is there in a database that was taken over, and only there.
const adoptionTable = legacyPrefix + "adoption"
