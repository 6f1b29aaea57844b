// Package store keeps reports in SQLite or PostgreSQL. It is the only room
// that opens a database or changes one.
package store

import (
	"context"
	"errors"
	"log/slog"
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
)

// Config says which database to open and how.
type Config struct {
	// Database is a SQLite path, "sqlite:PATH", or a postgres:// URL.
	Database string
	// Direct is a connection to the same PostgreSQL that passes by any pooler;
	// migrations use it. Empty: Database.
	Direct string
	// Migrate is "auto" (bring the schema up to date) or "check" (refuse to
	// open one that is not).
	Migrate string
	// LegacyTimezone is the zone of created_at in a database of the original
	// that is taken over. Empty: the server's.
	LegacyTimezone string
	Log            *slog.Logger
	Now            func() time.Time // nil: time.Now
}

// A Store is an open, migrated database.
type Store struct{}

// Outcome says what Save did with a report.
type Outcome int

// The outcomes of [Store.Save].
const (
	Created   Outcome = iota + 1 // the pipeline was not known
	Merged                       // the report added something
	Unchanged                    // all of it was known; for a legacy report: there is one already
)

// Open opens the database, brings its schema up to date and starts the
// committer.
func Open(_ context.Context, _ Config) (*Store, error) { return &Store{}, nil }

// Save validates the report and returns once it is durable.
func (s *Store) Save(_ context.Context, _ ci.Report) (Outcome, error) { return Created, nil }

// Ping asks the database whether it answers.
func (s *Store) Ping(_ context.Context) error { return nil }

// Close finishes the batch under way and closes the database.
func (s *Store) Close() error { return nil }

// Stats are the store's counters since it was opened, for /metrics.
type Stats struct {
	Reports      map[string]int64 // by outcome: created, merged, unchanged, invalid, away, busy
	Queue        int              // reports that wait for a commit
	Batches      int64
	BatchReports int64           // reports in all batches
	CommitTime   time.Duration   // in all
	Errors       map[string]int64 // database errors by class: data, conflict, away
}
