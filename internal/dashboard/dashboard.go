// Package dashboard is the pages for people: HTML made by the server, charts
// as SVG, and a little script that makes them quicker. Every page works without
// the script, and none loads anything from elsewhere.
package dashboard

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/kept"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Config is all that the pages need.
type Config struct {
	Shell *Shell
	Store *store.Store
	// Allow returns nil where the caller may do what scope stands for.
	Allow func(r *http.Request, scope store.Scope) error
	// URL is the address by which people reach the server.
	URL func() string
	// OpenIngest tells whether reports may be sent without a token.
	OpenIngest bool
	Demo       Demo             // nil: not offered
	Refusals   func() []Refusal // the last reports that were not taken, newest first
	Stopping   <-chan struct{}  // closed when the server wants to stop
	Log        *slog.Logger     // nil: discarded
	Now        func() time.Time // nil: time.Now
}

// A Dashboard answers the routes listed in Register.
type Dashboard struct {
	Config

	Analytics *analytics.Analytics
	made      kept.Answers[keptPage]
	offered   choiceCache
	last      lastPages
}

// New returns the pages on an open store.
func New(c Config) *Dashboard {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Refusals == nil {
		c.Refusals = func() []Refusal { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Dashboard{
		Config: c, Analytics: analytics.New(analytics.Config{Store: c.Store, Now: c.Now}),
		made: kept.Answers[keptPage]{Now: c.Now, Size: keptPage.size, Most: maxKept},
	}
}

// A Handler answers a request, or fails before it has written anything.
type Handler = func(w http.ResponseWriter, r *http.Request) error

// Register hands each route to handle: a pattern of [http.ServeMux], the scope
// that it needs, and what answers it.
func (d *Dashboard) Register(handle func(pattern string, scope store.Scope, h Handler)) {
	handle("GET /{$}", "", d.orLast(d.home))
	handle("GET /setup", "", d.setup)
	handle("GET /p/{rest...}", store.ScopeRead, d.orLast(d.route))
	handle("POST /p/{rest...}", store.ScopeRead, ownSite(d.post))
	for _, page := range []string{"pipelines", "jobs", "flaky", "queue", "dora"} {
		handle("GET /"+page, store.ScopeRead, d.orLast(d.everywhere(page)))
	}
	handle("GET /data/{rest...}", store.ScopeRead, d.everywhere("data"))
	handle("GET /about/metrics", "", d.metrics)
	handle("POST /dismiss", store.ScopeRead, sameSite(d.dismiss))
	handle("GET /find", store.ScopeRead, d.find)
	d.registerSetUp(handle)
	d.registerAdmin(handle)
	handle("GET /assets/{file...}", "", d.asset)
}

func (d *Dashboard) asset(w http.ResponseWriter, r *http.Request) error {
	if !d.Shell.Asset(w, r) {
		return fmt.Errorf("%w: %s", store.ErrUnknown, r.URL.Path)
	}
	return nil
}

// sameSite refuses what a page of another site sends in a reader's name.
func sameSite(h Handler) Handler {
	protection := http.NewCrossOriginProtection()
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := protection.Check(r); err != nil {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return nil //nolint:nilerr // that page is the answer
		}
		return h(w, r)
	}
}
