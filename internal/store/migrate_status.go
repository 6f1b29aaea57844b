package store

import (
	"context"
	"database/sql"
)

// A SchemaStatus is what is known of a database's schema.
type SchemaStatus struct {
	Version  int64 // 0: nothing of ours
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
		status.Version = found.version
		return err
	})
}

// A Plan says what Up would do.
type Plan struct {
	From, To int64
	Pending  []VersionFile
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
	return plan, nil
}
