package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const (
	pingTimeout = 2 * time.Second
	pingEvery   = time.Second // however often one asks
)

// health answers what machines ask of a process. It is open to all, and never
// logged.
type health struct {
	now func() time.Time

	mu       sync.Mutex
	store    *store.Store
	step     string // of the way to an open store
	draining bool
	pinged   time.Time
	away     bool
}

func newHealth(now func() time.Time) *health {
	return &health{now: now, step: "opening the database"}
}

// progress is told how far the database is on its way to be open.
func (h *health) progress(step string, done, total int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.step = step
	if total > 0 {
		h.step = fmt.Sprintf("%s: %d of %d", step, done, total)
	}
}

func (h *health) open(s *store.Store) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.store = s
}

func (h *health) drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// A check is one line of /readyz?verbose.
type check struct {
	name, state string
	ok          bool
}

func (h *health) checks(ctx context.Context) []check {
	h.mu.Lock()
	defer h.mu.Unlock()
	draining := check{"stopping", "no", !h.draining}
	if h.draining {
		draining.state = "yes"
	}
	if h.store == nil {
		return []check{{"database", "not open yet", false}, {"migrations", h.step, false}, draining}
	}
	if h.now().Sub(h.pinged) >= pingEvery {
		ctx, cancel := context.WithTimeout(ctx, pingTimeout)
		defer cancel()
		h.away, h.pinged = h.store.Ping(ctx) != nil, h.now()
	}
	database := check{"database", "answers", !h.away}
	if h.away {
		database.state = "away"
	}
	return []check{database, {"migrations", "done", true}, draining}
}

// live answers as long as the process does.
func live(w http.ResponseWriter, _ *http.Request) {
	say(w, http.StatusOK, "ok\n")
}

// ready answers 200 when requests are welcome. With ?verbose it says why not.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	var lines strings.Builder
	status, result := http.StatusOK, "ready\n"
	for _, c := range h.checks(r.Context()) {
		mark := "[+]"
		if !c.ok {
			mark, status, result = "[-]", http.StatusServiceUnavailable, "not ready\n"
		}
		fmt.Fprintf(&lines, "%s %s: %s\n", mark, c.name, c.state)
	}
	if status != http.StatusOK {
		w.Header().Set("Retry-After", "5")
	}
	if !r.URL.Query().Has("verbose") {
		lines.Reset()
	}
	say(w, status, lines.String()+result)
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the prober is gone
}
