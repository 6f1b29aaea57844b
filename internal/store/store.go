// Package store keeps reports in SQLite or PostgreSQL. It is the only room
// that opens a database or changes one.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// What Save may fail with, besides *ci.InvalidError.
var (
	// ErrAway: the database can't be reached, or did not answer in time; the
	// fate of the report is unknown and it should be sent again.
	ErrAway = errors.New("the database is away")
	// ErrBusy: more reports wait than the queue holds.
	ErrBusy = errors.New("too many reports are waiting")
	// ErrClosed: the store is closing.
	ErrClosed = errors.New("the store is closed")
	// ErrClash: another pipeline of the project has the same number, made from
	// another external id.
	ErrClash = errors.New("another external id has the same number")
)

// Config says which database to open and how.
type Config struct {
	// Database is a SQLite path, "sqlite:PATH", or a postgres:// URL.
	Database string
	// Direct is a connection to the same PostgreSQL that passes by any pooler;
	// migrations use it. Empty: Database.
	Direct string
	// Migrate is "auto" (bring the schema up to date) or "check" (refuse to
	// open one that is not). Empty: auto.
	Migrate string
	// LegacyTimezone is the zone of created_at in a database of the original
	// that is taken over. Empty: the server's.
	LegacyTimezone string
	// RecreateDependents lets a takeover of the original's database, and the way
	// back, drop the views of others over its tables and define them again.
	RecreateDependents bool
	// Wait keeps trying while the database can't be reached, until ctx is done.
	Wait bool
	// Exclusive refuses a SQLite file that another process holds exclusively.
	Exclusive bool
	// ReadLimit is how long the queries of one answer may take. 0: 5 s.
	ReadLimit time.Duration
	// Progress, if set, is told what Open does: a step, how much of it is done
	// and how much there is (0: unknown).
	Progress func(step string, done, total int64)
	// Definitions are those in force for projects without their own; they are
	// kept in the database. Nil: those that are kept there, else
	// ci.DefaultDefinitions.
	Definitions *ci.Definitions
	Log         *slog.Logger // nil: discarded
	// Asked is told of each query of a Reading, nil: nobody is. A test looks at
	// their plans.
	Asked func(text string, args []any)
	Now   func() time.Time // nil: time.Now
}

func (c *Config) fill() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.ReadLimit == 0 {
		c.ReadLimit = readTimeout
	}
	if c.Asked == nil {
		c.Asked = func(string, []any) {}
	}
	if c.Progress == nil {
		c.Progress = func(string, int64, int64) {}
	}
}

// A Store is an open, migrated database.
type Store struct {
	config      Config
	engine      engine
	db          *pools
	decided     atomic.Int64            // how often settings were saved
	byDefault   atomic.Pointer[inForce] // for projects without settings of their own
	definitions sync.Map                // *inForce of other projects, by hash
	opened      time.Time
	projects    projectCache
	pending     pendingCount
	tokens      tokenCache
	events      eventClock
	sessions    sessionCache
	stats       stats
	rowIDs      rowIDs
	fields      sync.Pool // of fields, for the rows of the next report
	queue       chan *request
	received    chan struct{} // a delivery came
	bodies      packer
	packedDays  packer
	formsKnown  atomic.Bool // all packed days are in the form that is read
	open        openDays
	shared      atomic.Int64 // numbers of the days that readings have in common
	away        atomic.Bool
	closing     sync.RWMutex // held for reading while a request is put in the queue
	closed      bool
	done        chan struct{}
	wg          sync.WaitGroup

	statements map[string]*sql.Stmt // of the writer; only the committer uses it
	failure    string               // why reports can't be saved, as logged last; only the committer uses it
	texts      sync.Map             // of statements, by their template
}

// Open opens the database, brings its schema up to date and starts the
// committer.
func Open(ctx context.Context, config Config) (*Store, error) {
	config.fill()
	engine, address, err := locate(config.Database)
	if err != nil {
		return nil, err
	}
	if config.Migrate == "check" && !engine.exists(address) { // a look makes no file
		return nil, &SchemaError{fmt.Sprintf("there is no database file %s: run `pipeline-metrics-collector migrate up`, or serve with --migrate auto, to make one", address)}
	}
	s := &Store{
		config: config, engine: engine, opened: config.Now(), bodies: newPacker(1), packedDays: newPacker(0),
		queue: make(chan *request, maxQueue), received: make(chan struct{}, 1), done: make(chan struct{}), statements: map[string]*sql.Stmt{},
	}
	if s.db, err = engine.open(address, config.Exclusive); err == nil {
		err = s.prepare(ctx)
	}
	if err == nil {
		err = s.prepareBatch(ctx)
	}
	if err == nil {
		var by *inForce
		by, err = s.serverDefinitions(ctx)
		s.byDefault.Store(by)
	}
	if err != nil {
		err = engine.blame(address, err)
		if s.db != nil {
			err = errors.Join(err, s.db.close())
		}
		return nil, err
	}
	s.wg.Go(s.commitLoop)
	s.wg.Go(s.probeLoop)
	return s, nil
}

// prepare brings the schema up to date, or waits until it can.
func (s *Store) prepare(ctx context.Context) error {
	for {
		err := s.migrate(ctx)
		if err == nil || !s.config.Wait || !unreachable(err) {
			return err
		}
		s.config.Log.WarnContext(ctx, "waiting for the database", "error", err)
		s.config.Progress("waiting for the database", 0, 0)
		select {
		case <-time.After(probeInterval):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// Close finishes the batches that wait and closes the database. Reports that
// come later are refused with ErrClosed.
func (s *Store) Close() error {
	s.closing.Lock()
	if s.closed {
		s.closing.Unlock()
		return nil
	}
	s.closed = true
	close(s.queue)
	close(s.done)
	s.closing.Unlock()
	s.wg.Wait()
	return s.db.close()
}

// Ping asks the database whether it answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var one int
	if err := s.db.reader.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// Query runs a read-only query. The text may use $1, $2, ... on either engine.
func (s *Store) Query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return s.db.reader.QueryContext(ctx, text, args...)
}

// Engine is "sqlite" or "postgres", for people to read.
func (s *Store) Engine() string { return string(s.engine) }
