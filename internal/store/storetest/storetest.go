// Package storetest gives tests a real, empty database on every engine.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Env names the variable that holds the URL of a PostgreSQL server on which
// tests may create databases.
const Env = "PMC_TEST_POSTGRES"

// Run runs f against an empty store on each engine, as parallel subtests.
func Run(t *testing.T, f func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, Open(t, SQLite(t)))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, Open(t, Postgres(t)))
	})
}

// Databases runs f with the name of an empty database on each engine, as
// parallel subtests.
func Databases(t *testing.T, f func(t *testing.T, database string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, Postgres(t))
	})
}

// SQLite names a file that does not exist yet.
func SQLite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "test.db")
}

// Postgres makes an empty database, dropped after the test, and returns its
// URL. Without a server the test is skipped, or fails where CI is set.
func Postgres(t testing.TB) string {
	t.Helper()
	base := os.Getenv(Env)
	if base == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(Env + " is not set: CI must test PostgreSQL too")
		}
		t.Skip(Env + " is not set: run `make test`")
	}
	name := "test_" + strings.ToLower(rand.Text())
	admin(t, base, "CREATE DATABASE "+name)
	t.Cleanup(func() { admin(t, base, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func admin(t testing.TB, base, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", base)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		t.Fatal(err)
	}
}

// patience is how long an answer may take in a test: whether it comes within the
// limit of a server depends on the machine, and is for the bench to say.
const patience = 2 * time.Minute

// Open opens a store on the database and closes it after the test.
func Open(t testing.TB, database string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Config{Database: database, ReadLimit: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Table returns the rows of a query as text, for comparing.
func Table(t testing.TB, s *store.Store, query string, args ...any) [][]any {
	t.Helper()
	rows, err := s.Query(context.Background(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var table [][]any
	for rows.Next() {
		row, at := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			at[i] = &row[i]
		}
		if err := rows.Scan(at...); err != nil {
			t.Fatal(err)
		}
		table = append(table, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return table
}
