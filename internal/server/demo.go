package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const (
	demoDays   = 60
	demoPrefix = "demo/"          // so that no real project has the name by chance
	demoTTL    = 10 * time.Second // how long what another server did may go unseen
)

// madeUp puts made-up pipelines into the database of people who want to look
// around, and takes them out again.
type madeUp struct {
	store *store.Store
	log   *slog.Logger
	now   func() time.Time
	ctx   context.Context // of the work, which outlives the request that wants it
	end   context.CancelFunc
	work  sync.WaitGroup
	done  atomic.Int64 // pipelines made up so far

	mu     sync.Mutex
	doing  string // what is under way, for people; empty: nothing
	total  int
	has    bool
	known  time.Time // when has was asked for
	failed string    // why the last attempt did
}

func newMadeUp(ctx context.Context, st *store.Store, log *slog.Logger, now func() time.Time) *madeUp {
	m := &madeUp{store: st, log: log, now: now}
	m.ctx, m.end = context.WithCancel(context.WithoutCancel(ctx))
	return m
}

// close ends what is under way and waits for it.
func (m *madeUp) close() {
	m.mu.Lock()
	m.end()
	m.mu.Unlock()
	m.work.Wait()
}

// State is what there is and what is under way.
func (m *madeUp) State(ctx context.Context) dashboard.DemoState {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now(); m.doing == "" && now.Sub(m.known) >= demoTTL {
		if has, err := m.store.HasDemo(ctx); err == nil { // else as it was
			m.has, m.known = has, now
		}
	}
	s := dashboard.DemoState{Has: m.has, Doing: m.doing, Failed: m.failed}
	if m.total > 0 {
		s.Percent = int(m.done.Load()) * 100 / m.total
	}
	return s
}

// errUnderWay is for who presses a button twice.
var errUnderWay = errors.New("the demo data is being made or removed just now")

// Load begins to make up pipelines.
func (m *madeUp) Load(ctx context.Context) error {
	h := demo.Generate(1, m.now(), demoDays)
	names := map[string]bool{}
	for i := range h.Reports {
		h.Reports[i].Project = demoPrefix + h.Reports[i].Project
		names[h.Reports[i].Project] = true
	}
	all := make([]string, 0, len(names))
	for name := range names {
		all = append(all, name)
	}
	if err := m.store.MarkDemo(ctx, all); err != nil {
		return err
	}
	return m.begin("Demo data is being made up", len(h.Reports), func(ctx context.Context) error {
		return h.Save(ctx, func(ctx context.Context, r ci.Report) error {
			m.done.Add(1)
			_, err := m.store.Save(ctx, r)
			return err
		})
	})
}

// Remove begins to remove them.
func (m *madeUp) Remove(context.Context) error {
	return m.begin("Demo data is being removed", 0, m.store.RemoveDemo)
}

func (m *madeUp) begin(what string, total int, do func(ctx context.Context) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.doing != "" {
		return errUnderWay
	}
	if m.ctx.Err() != nil {
		return store.ErrClosed
	}
	m.doing, m.total, m.failed, m.has = what, total, "", true
	m.done.Store(0)
	m.work.Go(func() {
		err := do(m.ctx)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.doing, m.total, m.known = "", 0, time.Time{}
		if err != nil && m.ctx.Err() == nil {
			m.log.WarnContext(m.ctx, "demo data", "doing", what, "error", err)
			m.failed = fmt.Sprintf("%s: %v.", what, err)
		}
	})
	return nil
}

// banners stand above every page.
func (s *Server) banners(r *http.Request) []dashboard.Banner {
	if s.c.Demo {
		return []dashboard.Banner{{Text: "Demo data: these pipelines are made up."}}
	}
	m := s.made.Load()
	if m == nil {
		return nil
	}
	return m.State(r.Context()).Banners()
}

// demoOnButton is what the pages may do about demo data; nil: all there is is
// made up.
func (s *Server) demoOnButton() dashboard.Demo {
	if s.c.Demo {
		return nil
	}
	return s.made.Load()
}
