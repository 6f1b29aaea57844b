package store

import (
	"context"
	"database/sql"
	"fmt"
)

// Previous asks Down for the version before the present one.
const Previous = -1

// DownOptions say what Down may do to data.
type DownOptions struct {
	// Lose agrees that what is stored is lost: all of it, or on a database that
	// was taken over from the original what the old tables can't hold.
	Lose bool
}

// A LossError says that Down would lose data, and did nothing.
type LossError struct {
	Pipelines int64  // that would be lost
	Reason    string // why, and what to do, as a sentence
}

// Error is the reason.
func (e *LossError) Error() string { return e.Reason }

// Down brings the schema down to a version, or to Previous. Version 0 removes
// everything, which must be agreed to; of a database that was taken over from
// the original, it gives back the old tables instead.
func (m *Migrator) Down(ctx context.Context, version int64, options DownOptions) (*Migrated, error) {
	done := &Migrated{}
	return done, m.with(ctx, func(db *sql.DB) error {
		return m.locked(ctx, db, func() error { return m.down(ctx, db, version, options, done) })
	})
}

func (m *Migrator) down(ctx context.Context, db *sql.DB, version int64, options DownOptions, done *Migrated) error {
	found, err := m.look(ctx, db)
	if err != nil {
		return err
	}
	if version == Previous {
		version = max(found.version-1, 0)
	}
	done.From, done.To = found.version, version
	switch {
	case version < 0 || version > found.version:
		return &SchemaError{fmt.Sprintf("the database has schema version %d: it can't go down to %d", found.version, version)}
	case version == found.version:
		return nil
	}
	adopted, err := m.adopted(ctx, db)
	switch {
	case err != nil:
		return err
	case adopted && version == 0:
		return m.giveBack(ctx, db, options, done)
	}
	if version == 0 && !options.Lose {
		if err := refuseLoss(ctx, db); err != nil {
			return err
		}
	}
	p, err := m.provider(db)
	if err != nil {
		return err
	}
	if _, err := p.DownTo(ctx, version); err != nil {
		return fmt.Errorf("migrate down: %w", err)
	}
	return nil
}

func refuseLoss(ctx context.Context, db *sql.DB) error {
	var n int64
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM pipelines").Scan(&n); err != nil {
		return fmt.Errorf("count the pipelines: %w", err)
	}
	return &LossError{n, fmt.Sprintf("going down to version 0 removes all tables with what is in them, %d pipelines among it: say --yes to have that", n)}
}
