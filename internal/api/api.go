// Package api is the JSON interface: reports in, answers out. It holds no SQL
// and no rule of a provider.
package api

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/legacy"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Config is all that the API needs.
type Config struct {
	Store *store.Store
	// MaxBody is the greatest body in bytes. All bodies under way together may
	// hold eight times as much.
	MaxBody int64
	// WebhookSecrets are those that a delivery may be signed with, or hold, by
	// the provider's name. Without one, a sender needs the scope ingest.
	WebhookSecrets map[string][]string
	// Allow returns nil where the caller may do what scope stands for.
	Allow func(r *http.Request, scope store.Scope) error
	Now   func() time.Time // nil: time.Now
}

// An API answers the routes listed in Register.
type API struct {
	store     *store.Store
	analytics *analytics.Analytics
	maxBody   int64
	secrets   map[string][]string
	allow     func(r *http.Request, scope store.Scope) error
	now       func() time.Time
	held      atomic.Int64 // bytes of the bodies under way
	refused   atomic.Int64 // reports that never came to the store
	buffers   sync.Pool
}

// New returns the API on an open store.
func New(c Config) *API {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &API{
		store:     c.Store,
		analytics: analytics.New(analytics.Config{Store: c.Store, Now: c.Now}),
		maxBody:   c.MaxBody,
		secrets:   c.WebhookSecrets,
		allow:     c.Allow,
		now:       c.Now,
		buffers:   sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}
}

// Register adds all routes to m. A route is open to those who have its scope.
func (a *API) Register(m *Mux) {
	m.Handle("POST /save_metrics", store.ScopeIngest, a.saveMetrics)
	m.Handle("POST /save_project_info", store.ScopeIngest, a.saveProject)
	m.Handle("POST /api/v1/reports", store.ScopeIngest, a.postReports)
	m.Handle("POST /api/v1/webhooks/{provider}", "", a.postWebhook)
	m.Handle("GET /api/v1/completeness", store.ScopeRead, a.getCompleteness)
	m.Handle("POST /v1/traces", store.ScopeIngest, a.postTraces)
	m.Handle("POST /api/v1/cdevents", store.ScopeIngest, a.postCDEvents)
	m.Handle("OPTIONS /api/v1/cdevents", "", a.optionsCDEvents)
	m.Handle("GET /api/v1/projects", store.ScopeRead, a.getProjects)
	m.Handle("GET /api/v1/project", store.ScopeRead, a.getProject)
	m.Handle("GET /api/v1/project/settings", store.ScopeRead, a.getSettings)
	m.Handle("PUT /api/v1/project/settings", store.ScopeAdmin, a.putSettings)
	m.Handle("GET /api/v1/deliveries", store.ScopeRead, a.getDeliveries)
	m.Handle("GET /api/v1/deliveries/{id}", store.ScopeRead, a.getDelivery)
	m.Handle("GET /api/v1/deliveries/{id}/body", store.ScopeAdmin, a.getDeliveryBody)
	m.Handle("POST /api/v1/deliveries/{id}/replay", store.ScopeAdmin, a.postReplay)
	m.Handle("POST /api/v1/deliveries/replay", store.ScopeAdmin, a.postReplays)
	m.Handle("GET /api/openapi.yaml", "", a.getOpenAPIYAML)
	m.Handle("GET /api/openapi.json", "", a.getOpenAPIJSON)
	m.Handle("GET /api/docs", "", a.getDocs)
	for name, ask := range a.questions() {
		m.Handle("GET /api/v1/"+name, store.ScopeRead, a.answerWith(name, ask, false))
		if !strings.HasSuffix(name, "}") {
			m.Handle("GET /api/v1/"+name+".csv", store.ScopeRead, a.answerWith(name, ask, true))
		}
	}
}

// questions are what is answered out of analytics: each by its name at
// /api/v1/NAME, and as CSV at /api/v1/NAME.csv unless the name ends with a number.
func (a *API) questions() map[string]question {
	return map[string]question{
		"breakdown":            plain(a.analytics.Breakdown),
		"changes":              a.changes,
		"compare":              a.compare,
		"concurrency":          plain(a.analytics.Concurrency),
		"cost":                 a.cost,
		"critical-path":        plain(a.analytics.CriticalPath),
		"dora":                 a.dora,
		"findings":             a.findings,
		"flaky":                a.flaky,
		"job":                  plain(a.analytics.Job),
		"jobs":                 a.jobs,
		"objectives":           plain(a.analytics.Objectives),
		"outcomes":             plain(a.analytics.Outcomes),
		"overview":             plain(a.analytics.Projects),
		"pipelines":            a.pipelines,
		"pipelines/{id}":       a.pipeline,
		"queue":                plain(a.analytics.Queue),
		"regressions/backtest": a.backtest,
		"restarts":             a.restarts,
		"stats":                a.stats,
	}
}

// Refused counts the reports that were not valid, so that the store never saw
// them.
func (a *API) Refused() int64 { return a.refused.Load() }

// saveMetrics answers as the original does: 200 where this is the first report
// of its pipeline, 208 where there is one already, both without a body.
func (a *API) saveMetrics(w http.ResponseWriter, r *http.Request) error {
	body, free, err := a.readJSON(w, r)
	if err != nil {
		return err
	}
	defer free()
	report, err := legacy.Parse(body)
	if err != nil {
		a.refused.Add(1)
		return err
	}
	outcome, err := a.store.Save(r.Context(), report)
	if err != nil {
		return err
	}
	if outcome == store.Unchanged {
		w.WriteHeader(http.StatusAlreadyReported)
	}
	return nil
}
