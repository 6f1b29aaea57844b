// Package server is the process as a value: the listener, what stands before
// every request, health, and a stop that loses nothing. It knows no SQL and no
// report.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/exporter"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Config is all that a server needs. Its zero values are not filled in, but for
// those that say so.
type Config struct {
	Store  store.Config // but for Wait, Exclusive and Progress
	Listen string       // host:port
	// TLSCert and TLSKey are PEM files; both or neither.
	TLSCert, TLSKey string
	// BaseURL is the address by which people reach the server, if it is not
	// the listener's.
	BaseURL string
	// Anonymous is what may be done without a token. Nil: on a loopback
	// address ingest and read by who comes from there, elsewhere nothing.
	Anonymous store.Scopes
	// Tokens are those that the environment gives, besides the stored ones.
	Tokens         []Token
	MaxBody        int64               // bytes of a request's body
	MaxConcurrent  int                 // requests at once
	WebhookSecrets map[string][]string // by provider; see api.Config
	Keep           store.Retention     // how long things are kept
	// Sources are the CI systems to compare with, each again and again.
	Sources                        []collect.Source
	ReconcileEvery, ReconcileSince time.Duration // see collect.Reconciler
	ShutdownDelay                  time.Duration // how long readiness is red before the listener closes
	ShutdownTimeout                time.Duration // how long requests under way may take after that
	Log                            *slog.Logger
	Now                            func() time.Time // nil: time.Now
	Version                        string
	FrameAncestors                 string // sites that may show the pages in a frame; empty: none
	Demo                           bool   // what is shown is made up, and the pages say so
	SignIn
}

// The limits of a conversation with a client, besides those in Config.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second // a request, headers and body
	writeTimeout  = 60 * time.Second // from the headers to the end of the answer
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
	closeTimeout  = 12 * time.Second // the last commit may take 10
)

// A Server listens from [New] on and answers while [Server.Run] runs.
type Server struct {
	c        Config
	log      *slog.Logger
	listener net.Listener
	http     *http.Server
	door     *door
	oidc     *identityProvider
	health   *health
	metrics  *metrics
	refused  *refusals
	made     atomic.Pointer[madeUp] // nil until the store is open
	stopping chan struct{}          // closed when it is time to stop
	shell    *dashboard.Shell
	places   chan struct{}           // one for each request at once
	app      atomic.Pointer[api.Mux] // nil until the store is open
}

// New listens. Who gets a server must call Run or Close.
func New(ctx context.Context, c Config) (*Server, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	l, err := listen(ctx, c)
	if err != nil {
		return nil, err
	}
	d, err := newDoor(c, l.Addr())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s := &Server{
		c:        c,
		refused:  &refusals{now: c.Now},
		stopping: make(chan struct{}),
		log:      slog.New(contextHandler{c.Log.Handler()}),
		listener: l,
		door:     d,
		health:   newHealth(c.Now),
		places:   make(chan struct{}, c.MaxConcurrent),
	}
	s.oidc = &identityProvider{c: c.OIDC, door: d, base: s.URL, failed: s.signInFailed, log: s.log}
	s.shell, err = dashboard.NewShell(dashboard.ShellConfig{Version: c.Version, FrameAncestors: c.FrameAncestors, Banners: s.banners, Visitor: s.visitorOf})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.metrics = newMetrics(c.Version, func() int { return len(s.places) })
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

func listen(ctx context.Context, c Config) (net.Listener, error) {
	var config *tls.Config
	if c.TLSCert != "" || c.TLSKey != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("the TLS certificate and its key can't be used: %w", err)
		}
		config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, nil
}

// URL is where the server can be reached: the base URL, or the listener's.
func (s *Server) URL() string {
	if s.c.BaseURL != "" {
		return s.c.BaseURL
	}
	scheme := "http"
	if s.c.TLSCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return scheme + "://" + s.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Example is a command that sends a first report to the server.
func (s *Server) Example() string {
	header := ""
	if !s.door.open() {
		header = " -H 'Authorization: Bearer TOKEN'"
	}
	return "curl -i " + s.URL() + "/save_metrics" + header + ` -H 'Content-Type: application/json' -d '{
  "project": "test/project", "pipeline_id": 1, "ref": "master",
  "created_at": "2023-06-13T14:11:24.029+07:00",
  "duration": 97, "duration_e2e": 27, "has_restarts": false,
  "builds": [{"build-e2e": 64}],
  "jobs": [{"name": "e2e", "duration": 27, "up": 7, "e2e": 5}],
  "jobs_failed": []
}'`
}

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close gives the listener back, where Run was never called.
func (s *Server) Close() error { return s.listener.Close() }

// Run answers requests until ctx is done; while the database is opened and
// brought up to date, all but health with 503. When ctx is done, readiness
// goes red, the requests under way finish, and the last reports are committed.
func (s *Server) Run(ctx context.Context) error {
	serving := make(chan error, 1)
	go func() { serving <- s.http.Serve(s.listener) }()
	opening, stopOpening := context.WithCancel(ctx)
	defer stopOpening()
	result := make(chan opened, 1)
	go func() { result <- s.open(opening) }()

	o, err := s.wait(ctx, result, serving)
	stopOpening()
	err = errors.Join(err, s.drain(context.WithoutCancel(ctx), err == nil))
	return errors.Join(err, closeStore(o, result))
}

// An opened store, or why there is none.
type opened struct {
	store *store.Store
	err   error
	stop  func() // ends the work in the background; nil: there is none
}

// wait returns when it is time to stop: with an error, where something failed.
func (s *Server) wait(ctx context.Context, opening <-chan opened, serving <-chan error) (*opened, error) {
	var now *opened
	for {
		select {
		case o := <-opening:
			if now = &o; o.err != nil && ctx.Err() == nil {
				return now, o.err
			}
		case err := <-serving:
			return now, fmt.Errorf("serve: %w", err)
		case <-ctx.Done():
			return now, nil
		}
	}
}

// open opens the store, as soon as its database is there, and lets requests in.
func (s *Server) open(ctx context.Context) opened {
	c := s.c.Store
	c.Wait, c.Exclusive, c.Progress = true, true, s.health.progress
	st, err := store.Open(ctx, c)
	if err != nil {
		return opened{err: err}
	}
	s.door.stored.Store(st)
	if err := s.door.hasKey(ctx, st); err != nil {
		return opened{store: st, err: err}
	}
	s.made.Store(newMadeUp(ctx, st, s.log, s.c.Now))
	s.app.Store(s.routes(st))
	s.health.open(st) // not before requests are let in
	s.log.InfoContext(ctx, "ready", "engine", st.Engine())
	giveBack()
	return opened{store: st, stop: s.background(ctx, st)}
}

// giveBack returns to the system the memory that starting took, a third of all:
// migrations and compressed assets need much that is not needed again.
func giveBack() {
	runtime.GC() // what lies in pools goes with the second collection
	debug.FreeOSMemory()
}

// background begins what goes on beside the requests, and returns what ends it.
func (s *Server) background(ctx context.Context, st *store.Store) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	inbox := &collect.Inbox{Store: st, Parse: collect.ParseDelivery, Log: s.log}
	var wg sync.WaitGroup
	wg.Go(func() { inbox.Run(ctx) })
	pruner := &collect.Pruner{Store: st, Keep: s.c.Keep, Log: s.log}
	wg.Go(func() { pruner.Run(ctx) })
	for _, source := range s.c.Sources {
		r := &collect.Reconciler{Store: st, Source: source, Every: s.c.ReconcileEvery, Since: s.c.ReconcileSince, Log: s.log}
		wg.Go(func() { r.Run(ctx) })
	}
	wg.Go(func() { st.Lead(ctx, "recompute", st.KeepDerived) })
	wg.Go(func() { st.Lead(ctx, "days", st.KeepPacked) })
	return func() {
		cancel()
		wg.Wait()
		s.made.Load().close()
	}
}

// routes are the API's and the server's own.
func (s *Server) routes(st *store.Store) *api.Mux {
	m := s.mux()
	a := api.New(api.Config{Store: st, MaxBody: s.c.MaxBody, WebhookSecrets: s.c.WebhookSecrets, Allow: s.door.allow, Now: s.c.Now})
	a.Register(m)
	dashboard.New(dashboard.Config{
		Shell: s.shell, Store: st, Allow: s.door.allow, URL: s.URL, Log: s.log, Now: s.c.Now,
		OpenIngest: s.door.open(), Demo: s.demoOnButton(), Refusals: s.refused.list, Stopping: s.stopping,
	}).Register(
		func(pattern string, scope store.Scope, h dashboard.Handler) { m.Handle(pattern, scope, h) })
	s.signInRoutes(m)
	m.Handle("GET /metrics", store.ScopeRead, s.metrics.handler(st, a))
	m.Handle("GET /metrics/pipelines", store.ScopeRead, exporter.NewPrometheus(st, s.c.Now).Pipelines)
	for path, h := range s.machines() { // GET has been answered before
		m.Handle("GET "+path, "", func(w http.ResponseWriter, r *http.Request) error { h(w, r); return nil })
	}
	return m
}

// mux is one whose problems are pages for people, and documents for programs.
func (s *Server) mux() *api.Mux {
	return &api.Mux{Log: s.log, Allow: s.door.allow, Page: func(w http.ResponseWriter, r *http.Request, p *api.Problem) bool {
		s.refused.saw(r, p)
		if !dashboard.WantsPage(r) {
			return false
		}
		if p.Status == http.StatusUnauthorized && credential(r) == "" {
			askToSignIn(w, r)
			return true
		}
		err := s.shell.Problem(w, r, dashboard.Problem{Status: p.Status, Title: p.Title, Detail: p.Detail, RequestID: api.RequestID(r.Context())})
		if err != nil {
			s.log.ErrorContext(r.Context(), "no page says what is wrong", "error", err)
		}
		return err == nil
	}}
}

// drain lets the requests under way finish.
func (s *Server) drain(ctx context.Context, graceful bool) error {
	close(s.stopping)
	s.health.drain()
	if !graceful {
		return s.http.Close()
	}
	s.log.InfoContext(ctx, "stopping", "delay", s.c.ShutdownDelay.String(), "timeout", s.c.ShutdownTimeout.String())
	time.Sleep(s.c.ShutdownDelay)
	ctx, cancel := context.WithTimeout(ctx, s.c.ShutdownTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		// Such a client holds half a request. Nothing of it was acknowledged.
		s.log.WarnContext(ctx, "some requests did not finish in time and were cut off")
		return s.http.Close()
	}
	return nil
}

// closeStore commits what waits and closes the store, or gives up after
// closeTimeout. Where o is nil the store was still being opened.
func closeStore(o *opened, result <-chan opened) error {
	done := make(chan error, 1)
	go func() {
		if o == nil {
			o = new(<-result)
		}
		if o.store == nil {
			done <- nil
			return
		}
		if o.stop != nil {
			o.stop()
		}
		done <- o.store.Close()
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(closeTimeout):
		return errors.New("the database was not closed in time: what it did not confirm may be lost")
	}
}
