package store

import (
	"context"
	"database/sql"
	"fmt"
)

// A SchemaStatus is what is known of a database's schema.
type SchemaStatus struct {
	Version  int64 // 0: nothing of ours
	Original bool  // a database of the original that has not been taken over
	Versions []VersionFile
}

// Status reads the state of the schema and changes nothing.
func (m *Migrator) Status(ctx context.Context) (*SchemaStatus, error) {
	status := &SchemaStatus{}
	var err error
	if status.Versions, err = m.files(); err != nil || !m.engine.exists(m.address) {
		return status, err
	}
	return status, m.with(ctx, func(db *sql.DB) error {
		found, err := m.look(ctx, db)
		status.Version, status.Original = found.version, found.original
		return err
	})
}

// A Plan says what Up would do.
type Plan struct {
	From, To int64
	Pending  []VersionFile
	Adoption *Adoption // not nil: a database of the original is taken over
}

// Plan says what Up to a version would do, and changes nothing.
func (m *Migrator) Plan(ctx context.Context, version int64) (*Plan, error) {
	version, err := m.target(version)
	if err != nil {
		return nil, err
	}
	status, err := m.Status(ctx)
	if err != nil {
		return nil, err
	}
	plan := &Plan{From: status.Version, To: max(version, status.Version)}
	for _, f := range status.Versions {
		if f.Version > status.Version && f.Version <= version {
			plan.Pending = append(plan.Pending, f)
		}
	}
	if status.Original {
		plan.Adoption, err = m.planAdoption(ctx, plan.To)
	}
	return plan, err
}

// planAdoption says what taking over the original's database would do, or why
// it would stop.
func (m *Migrator) planAdoption(ctx context.Context, to int64) (adoption *Adoption, err error) {
	if err := m.refusePart(to); err != nil {
		return nil, err
	}
	return adoption, m.with(ctx, func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		if err != nil {
			return fmt.Errorf("begin to look: %w", err)
		}
		defer func() { _ = tx.Rollback() }() // it only reads
		o, err := m.readOrigin(ctx, tx)
		if err != nil {
			return err
		}
		if adoption, err = o.survey(ctx, tx); err != nil {
			return err
		}
		views, err := m.readDependents(ctx, tx, originalTables)
		adoption.Dependents = (&move{dependents: views}).names()
		return err
	})
}
