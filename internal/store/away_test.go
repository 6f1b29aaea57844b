package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A database that answers and can't be written is asked again and again, and
// spoken of once.
func TestAwayIsToldOnce(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	database := storetest.Postgres(t)
	s, err := store.Open(context.Background(), store.Config{Database: database, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	change := func(text string) {
		if _, err := db.ExecContext(context.Background(), text); err != nil {
			t.Fatal(err)
		}
	}

	change("ALTER TABLE jobs RENAME TO gone")
	for ; s.Stats().Errors["away"] < 2; time.Sleep(20 * time.Millisecond) {
		if _, err := s.Save(context.Background(), posted(1)); !errors.Is(err, store.ErrAway) {
			t.Fatalf("without its table: %v, want %v", err, store.ErrAway)
		}
	}
	change("ALTER TABLE gone RENAME TO jobs")
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		_, err := s.Save(context.Background(), posted(1))
		if err == nil {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"the database is away", "reports are saved again"} {
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("the log says %d times that %s, want once:\n%s", n, line, log.String())
		}
	}
}

// A lockedBuffer may be written and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
