package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const (
	// FirstSince is how far back a first backfill reads where nothing is said.
	FirstSince = 180 * 24 * time.Hour
	// readAgain is how much of what was read already is read again: the CI
	// system's clock may differ from ours.
	readAgain = time.Hour
)

// Marks keep how far backfills are: a store, or a file.
type Marks interface {
	Backfill(ctx context.Context, name string) (b store.Backfill, found bool, err error)
	SetBackfill(ctx context.Context, b store.Backfill) error
}

// A Memory says where each list of a backfill begins: where the last one was
// interrupted; else where the operator says; else where the last one began; else
// 180 days ago.
type Memory struct {
	Marks Marks
	// Name is what is read, over all lists. While it was interrupted, the lists
	// that it had read to their ends go on from there, too.
	Name  string
	Since time.Time // what the operator says; zero: nothing
	Now   func() time.Time

	mu      sync.Mutex
	whole   store.Backfill // all lists
	resumed bool
	begun   map[string]store.Backfill
}

// Begin says from when on a list is read. Asked again, it says the same.
func (m *Memory) Begin(ctx context.Context, list string) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(ctx); err != nil {
		return time.Time{}, err
	}
	if b, begun := m.begun[list]; begun {
		return start(b), nil
	}
	b, found, err := m.Marks.Backfill(ctx, list)
	if err != nil {
		return time.Time{}, fmt.Errorf("find how far %s is: %w", list, err)
	}
	now := m.Now()
	switch {
	case found && m.resumed && !b.Started.Before(m.whole.Started):
		b.Finished = time.Time{}
	case found && m.goesOn(b):
	case !m.Since.IsZero():
		b = store.Backfill{Name: list, Since: m.Since, Started: now}
	case found && !b.Finished.IsZero():
		b = store.Backfill{Name: list, Since: b.Started.Add(-readAgain), Started: now}
	default:
		b = store.Backfill{Name: list, Since: now.Add(-FirstSince), Started: now}
	}
	m.begun[list] = b
	return start(b), nil
}

// open finds out whether all of it was begun before and did not end.
func (m *Memory) open(ctx context.Context) error {
	if m.begun != nil {
		return nil
	}
	b, found, err := m.Marks.Backfill(ctx, m.Name)
	if err != nil {
		return fmt.Errorf("find how far %s is: %w", m.Name, err)
	}
	m.resumed = found && m.goesOn(b)
	if !m.resumed {
		b = store.Backfill{Name: m.Name, Since: m.Since, Started: m.Now()}
		if err := m.Marks.SetBackfill(ctx, b); err != nil {
			return fmt.Errorf("keep that %s has begun: %w", m.Name, err)
		}
	}
	m.whole, m.begun = b, map[string]store.Backfill{}
	return nil
}

// goesOn tells whether what was interrupted began early enough for what the
// operator says now.
func (m *Memory) goesOn(b store.Backfill) bool {
	return b.Finished.IsZero() && (m.Since.IsZero() || !b.Since.After(m.Since))
}

// End keeps that all lists are read.
func (m *Memory) End(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(ctx); err != nil {
		return err
	}
	m.whole.Finished = m.Now()
	return m.Marks.SetBackfill(ctx, m.whole)
}

func start(b store.Backfill) time.Time {
	if b.Through.After(b.Since) {
		return b.Through
	}
	return b.Since
}

// Mark keeps how far a list is, as a Backfill asks it to.
func (m *Memory) Mark(ctx context.Context, list string, through time.Time, end bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.begun[list]
	b.Name = list
	if through.After(b.Through) {
		b.Through = through
	}
	if end {
		b.Finished = m.Now()
	}
	m.begun[list] = b
	return m.Marks.SetBackfill(ctx, b)
}

// A MarksFile keeps marks in a file of JSON, which is replaced as a whole.
type MarksFile struct{ Path string }

func (f MarksFile) read() (map[string]store.Backfill, error) {
	all := map[string]store.Backfill{}
	text, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%s is not a file of marks: %w", f.Path, err)
	}
	return all, nil
}

// Backfill returns how far the backfill of that name is.
func (f MarksFile) Backfill(_ context.Context, name string) (store.Backfill, bool, error) {
	all, err := f.read()
	b, found := all[name]
	return b, found, err
}

// SetBackfill keeps how far a backfill is.
func (f MarksFile) SetBackfill(_ context.Context, b store.Backfill) error {
	all, err := f.read()
	if err != nil {
		return err
	}
	all[b.Name] = b
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.Path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(f.Path+".new", f.Path)
}

// Missing tells whether an error is about one pipeline or one project, while
// others may be read: it is gone, it is not for us, it can't be understood.
func Missing(err error) bool {
	if _, invalid := errors.AsType[*ci.InvalidError](err); invalid {
		return true
	}
	if s, ok := errors.AsType[*rest.StatusError](err); ok {
		return s.Status/100 == 4 && s.Status != http.StatusUnauthorized && s.Status != http.StatusTooManyRequests
	}
	return errors.Is(err, rest.ErrUnreadable) || errors.Is(err, store.ErrClash)
}
