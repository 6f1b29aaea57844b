package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// The two directories hold the same migrations under the same names; a test
// says so, and that the schemas they make agree.
//
//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// A SchemaError says why the schema of a database can't be used; waiting does
// not help.
type SchemaError struct{ Reason string }

// Error is the reason, as a sentence.
func (e *SchemaError) Error() string { return e.Reason }

// A Migrator brings the schema of one database to a version. It opens the
// database for each call alone.
type Migrator struct {
	config  Config
	engine  engine
	address string
}

// Migrated says what a call of Up or Down did.
type Migrated struct {
	From, To int64     // versions of the schema
	Adopted  *Adoption // not nil: a database of the original was taken over
	Returned *Return   // not nil: the original has its database back
}

// NewMigrator returns a migrator of config.Database, by the way of
// config.Direct where there is one.
func NewMigrator(config Config) (*Migrator, error) {
	config.fill()
	e, address, err := locate(config.Database)
	if err == nil && config.Direct != "" {
		e, address, err = locate(config.Direct)
	}
	if err != nil {
		return nil, err
	}
	return &Migrator{config: config, engine: e, address: address}, nil
}

// latest is the newest version that this program knows.
func (m *Migrator) latest() (int64, error) {
	files, err := m.files()
	if err != nil {
		return 0, err
	}
	return files[len(files)-1].Version, nil
}

// Up brings the schema up to a version; 0 is the latest. Where it finds a
// database of the original, it takes that over first. Several replicas may
// call it at once: one works, the others wait and find it done.
func (m *Migrator) Up(ctx context.Context, version int64) (*Migrated, error) {
	version, err := m.target(version)
	if err != nil {
		return nil, err
	}
	done := &Migrated{To: version}
	return done, m.with(ctx, func(db *sql.DB) error {
		found, err := m.look(ctx, db)
		if err != nil || found.version >= version { // nothing to do, so nothing to wait for
			done.From, done.To = found.version, max(found.version, version)
			return err
		}
		return m.locked(ctx, db, func() error { return m.up(ctx, db, done) })
	})
}

// target is the version that is asked for; 0 asks for the latest.
func (m *Migrator) target(version int64) (int64, error) {
	latest, err := m.latest()
	switch {
	case err != nil:
		return 0, err
	case version == 0:
		return latest, nil
	case version < 1 || version > latest:
		return 0, &SchemaError{fmt.Sprintf("there is no schema version %d: this program knows 1 to %d", version, latest)}
	}
	return version, nil
}

// up runs under the lock.
func (m *Migrator) up(ctx context.Context, db *sql.DB, done *Migrated) error {
	found, err := m.look(ctx, db)
	if err != nil {
		return err
	}
	if done.From = found.version; found.version >= done.To {
		done.To = found.version
		return nil
	}
	if found.original {
		return m.adopt(ctx, db, done)
	}
	m.config.Progress("bringing the schema up to date", 0, 0)
	return m.apply(ctx, db, found.version, done.To)
}

// apply runs the migrations after version have. On an engine without a lock
// another migrator may get in between: then the version has moved, and what is
// left is tried again.
func (m *Migrator) apply(ctx context.Context, db *sql.DB, have, want int64) error {
	p, err := m.provider(db)
	if err != nil {
		return err
	}
	for {
		_, err := p.UpTo(ctx, want)
		if err == nil {
			return nil
		}
		found, lerr := m.look(ctx, db)
		if lerr != nil || found.version <= have {
			return fmt.Errorf("migrate up: %w", err)
		}
		have = found.version
	}
}

// check refuses a database whose schema is not the latest.
func (m *Migrator) check(ctx context.Context) error {
	latest, err := m.latest()
	if err != nil {
		return err
	}
	return m.with(ctx, func(db *sql.DB) error {
		found, err := m.look(ctx, db)
		if err != nil || found.version == latest {
			return err
		}
		if found.original {
			return &SchemaError{"the database is one of the original and has not been taken over: look at it with `pipeline-metrics-collector migrate up --dry-run`, then run `migrate up`, or serve with --migrate auto"}
		}
		return &SchemaError{fmt.Sprintf("the database has schema version %d, this program needs %d: run `pipeline-metrics-collector migrate up`, or serve with --migrate auto", found.version, latest)}
	})
}

// A schemaState is what is there before anything is changed.
type schemaState struct {
	version  int64 // 0: nothing of ours
	original bool  // the tables are the original's
}

// look reads the state of the schema and changes nothing. A schema that is
// newer than the program is an error.
func (m *Migrator) look(ctx context.Context, db *sql.DB) (schemaState, error) {
	latest, err := m.latest()
	if err != nil {
		return schemaState{}, err
	}
	version, err := m.engine.schemaVersion(ctx, db)
	if err != nil {
		return schemaState{}, fmt.Errorf("read the schema's version: %w", err)
	}
	if version > latest {
		return schemaState{}, &SchemaError{fmt.Sprintf("the database has schema version %d and this program knows %d: run a newer program, or migrate down with it", version, latest)}
	}
	found := schemaState{version: version}
	if version == 0 && m.engine.canAdopt() {
		found.original, err = m.engine.hasTable(ctx, db, "alembic_version")
	}
	return found, err
}

// schemaVersion is 0 where no migration was applied.
func (e engine) schemaVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	if has, err := e.hasTable(ctx, db, goose.DefaultTablename); err != nil || !has {
		return 0, err
	}
	versions, err := e.versions()
	if err != nil {
		return 0, err
	}
	version, err := versions.GetLatestVersion(ctx, db)
	if errors.Is(err, database.ErrVersionNotFound) {
		return 0, nil
	}
	return version, err
}

// versions is the table in which the migrations that were applied are written.
func (e engine) versions() (database.Store, error) {
	s, err := database.NewStore(e.goose(), goose.DefaultTablename)
	if err != nil {
		return nil, fmt.Errorf("find the table of versions: %w", err)
	}
	return s, nil
}

// with opens the database for f.
func (m *Migrator) with(_ context.Context, f func(db *sql.DB) error) (err error) {
	p, err := m.engine.openMigrations(m.address, m.config.Exclusive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return f(p.writer)
}

// locked runs f while no other migrator of the database does anything.
func (m *Migrator) locked(ctx context.Context, db *sql.DB, f func() error) error {
	locker, err := m.engine.migrationLock()
	if err != nil {
		return err
	}
	if locker == nil {
		return f()
	}
	m.config.Progress("waiting for another migration to end", 0, 0)
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	err = locker.SessionLock(ctx, conn)
	// The pool has this one connection: it keeps the lock until it is closed.
	if err = errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("take the migrations' lock: %w", err)
	}
	return f()
}

func (m *Migrator) provider(db *sql.DB) (*goose.Provider, error) {
	dir, err := m.engine.migrations()
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(m.engine.goose(), db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

func (e engine) migrations() (fs.FS, error) {
	dir, err := fs.Sub(migrations, "migrations/"+string(e))
	if err != nil {
		return nil, fmt.Errorf("find migrations: %w", err)
	}
	return dir, nil
}

// A VersionFile is a migration that this program knows.
type VersionFile struct {
	Version int64
	Name    string // of its file
}

// files lists the migrations in order of their versions.
func (m *Migrator) files() ([]VersionFile, error) {
	dir, err := m.engine.migrations()
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	all := make([]VersionFile, len(names))
	for i, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("the migration %s: %w", name, err)
		}
		all[i] = VersionFile{version, name}
	}
	slices.SortFunc(all, func(a, b VersionFile) int { return int(a.Version - b.Version) })
	return all, nil
}

// migrate brings the schema up to date, or with Migrate "check" refuses one
// that is not.
func (s *Store) migrate(ctx context.Context) error {
	config := s.config
	config.Exclusive = false // the store holds the file already
	m, err := NewMigrator(config)
	if err != nil {
		return err
	}
	if s.config.Migrate == "check" {
		return m.check(ctx)
	}
	done, err := m.Up(ctx, 0)
	if err == nil && done.Adopted != nil {
		s.logAdoption(ctx, done.Adopted)
	}
	if err == nil && done.From != done.To {
		s.config.Log.InfoContext(ctx, "brought the schema up to date", "from", done.From, "to", done.To)
	}
	return err
}

// logAdoption says what became of the original's rows, where nobody sees what
// a command prints.
func (s *Store) logAdoption(ctx context.Context, a *Adoption) {
	s.config.Log.InfoContext(ctx, "took over the original's database", "revision", a.Revision, "time_zone", a.Timezone, "newest", a.Newest)
	for _, t := range a.Tables {
		s.config.Log.InfoContext(ctx, "took over a table", "table", t.Name, "rows", t.Rows, "taken", t.Taken)
		for _, l := range t.Left {
			s.config.Log.WarnContext(ctx, "rows stay in the old table alone", "table", legacyPrefix+t.Name, "rows", l.Rows, "reason", l.Reason)
		}
	}
}
