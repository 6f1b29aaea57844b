package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
)

// machines are the routes for what watches over processes.
func (s *Server) machines() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"/livez": live, "/healthz": live, "/readyz": s.health.ready}
}

// handler is all that stands before a route. Health is outside of it.
func (s *Server) handler() http.Handler {
	machines := s.machines()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := machines[r.URL.Path]; ok && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			h(w, r)
			return
		}
		s.visit(w, r)
	})
}

// visit sees one request from its beginning to its end.
func (s *Server) visit(w http.ResponseWriter, r *http.Request) {
	began := s.c.Now()
	id := requestID(r)
	w.Header().Set("X-Request-Id", id)
	r = r.WithContext(api.WithRequestID(r.Context(), id))
	a := &answer{ResponseWriter: w}
	defer s.leave(a, r, began)
	defer s.catch(a, r)
	s.enter(a, r)
}

// enter lets a request in, if there is room and it was meant for us.
func (s *Server) enter(w http.ResponseWriter, r *http.Request) {
	if !s.door.isOurs(r) && credential(r) == "" {
		s.fail(w, r, api.UnknownHost("It is reached as "+s.URL()+"; --base-url gives it another name."))
		return
	}
	m := s.app.Load()
	if m == nil && strings.HasPrefix(r.URL.Path, "/assets/") && s.shell.Asset(w, r) {
		return
	}
	if m == nil {
		s.fail(w, r, api.Starting("Its database is not ready yet; /readyz?verbose says how far it is."))
		return
	}
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
		m.ServeHTTP(w, r)
	default:
		s.fail(w, r, api.Overloaded())
	}
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.mux().Fail(w, r, err)
}

// catch answers for a handler that panicked, where it has not answered.
func (s *Server) catch(a *answer, r *http.Request) {
	p := recover()
	switch p {
	case nil:
		return
	case http.ErrAbortHandler:
		panic(p)
	}
	s.log.ErrorContext(r.Context(), "handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if a.status != 0 {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	s.fail(a, r, fmt.Errorf("panic: %v", p))
}

// leave counts the request and writes the access log. It has the path but not the query, which may
// hold a token.
func (s *Server) leave(a *answer, r *http.Request, began time.Time) {
	took := s.c.Now().Sub(began)
	if a.status == 0 {
		a.status = http.StatusOK
	}
	s.metrics.saw(r.Pattern, a.status, took)
	level := slog.LevelInfo
	if a.status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	s.log.LogAttrs(r.Context(), level, "request",
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path),
		slog.Int("status", a.status),
		slog.Int64("bytes", a.bytes),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("remote", r.RemoteAddr),
	)
}

// An answer remembers what was answered.
type answer struct {
	http.ResponseWriter

	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// requestID is the caller's, where it is harmless, else a new one.
func requestID(r *http.Request) string {
	const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	id := r.Header.Get("X-Request-Id")
	if id != "" && len(id) <= 64 && strings.Trim(id, harmless) == "" {
		return id
	}
	return rand.Text()
}

// A contextHandler adds to each log line which request it is about.
type contextHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h contextHandler) Handle(ctx context.Context, line slog.Record) error {
	if id := api.RequestID(ctx); id != "" {
		line.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements slog.Handler.
func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}
