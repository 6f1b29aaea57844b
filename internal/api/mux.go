package api

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A Mux finds the handler of a request, asks whether the caller may, and turns
// every failure into a problem document. Set its fields before the first use.
type Mux struct {
	Log *slog.Logger
	// Allow returns nil where the caller may do what scope stands for, or the
	// problem to answer with.
	Allow func(r *http.Request, scope store.Scope) error
	// Page answers a failure with a page, where the sender wants one, and
	// tells whether it did. Headers are set already. Nil: nobody gets one.
	Page func(w http.ResponseWriter, r *http.Request, p *Problem) bool

	mux http.ServeMux
}

// A Handler answers a request, or fails before it has written anything.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Handle adds a route: a pattern of [http.ServeMux], and the scope that it
// needs. A route without a scope is open to all.
func (m *Mux) Handle(pattern string, scope store.Scope, h Handler) {
	m.mux.Handle(pattern, m.handle(scope, h))
}

func (m *Mux) handle(scope store.Scope, h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := checkText(r.URL); err != nil {
			m.Fail(w, r, err)
			return
		}
		if scope != "" {
			if err := m.Allow(r, scope); err != nil {
				m.Fail(w, r, err)
				return
			}
		}
		if err := h(w, r); err != nil {
			m.Fail(w, r, err)
		}
	})
}

// checkText refuses an address that holds what no name has. PostgreSQL takes
// neither bytes that are not UTF-8 nor the character of number 0, and would
// seem to be away.
func checkText(u *url.URL) error {
	if !isText(u.Path) {
		return notFound("The path has bytes in it that are no text.")
	}
	if u.RawQuery == "" {
		return nil
	}
	for name, values := range u.Query() {
		if !isText(name) {
			return badParameter(strings.ToValidUTF8(name, "\uFFFD"), "Its name is no text.")
		}
		if !slices.ContainsFunc(values, func(v string) bool { return !isText(v) }) {
			continue
		}
		return badParameter(name, "It has bytes in it that are no text.")
	}
	return nil
}

func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// Fail answers with what became of err. Only errors that the caller can act
// upon are told; the rest are logged.
func (m *Mux) Fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		m.Log.ErrorContext(r.Context(), "request failed", "error", err)
	}
	if m.Page != nil {
		maps.Copy(w.Header(), p.Header)
		if m.Page(w, r, p) {
			return
		}
	}
	p.write(w, r)
}

// ServeHTTP serves the route of the request.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, pattern := m.mux.Handler(r); pattern == "" {
		m.refuse(w, r, h)
		return
	}
	m.mux.ServeHTTP(w, r)
}

// refuse answers where there is no route: with the methods that there are, if
// the path is one of ours.
func (m *Mux) refuse(w http.ResponseWriter, r *http.Request, refusal http.Handler) {
	said := &recorder{header: http.Header{}}
	refusal.ServeHTTP(said, r)
	allow := said.header.Get("Allow")
	switch {
	case allow == "":
		m.Fail(w, r, problem(http.StatusNotFound, kindNotFound, "There is nothing here.", "docs/api.md lists what there is."))
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", allow+", OPTIONS")
		w.WriteHeader(http.StatusNoContent)
	default:
		p := problem(http.StatusMethodNotAllowed, kindMethod, "That method is not for this path.", "It takes "+allow+".")
		p.Header.Set("Allow", allow)
		m.Fail(w, r, p)
	}
}

// A recorder takes an answer that nobody is to see.
type recorder struct{ header http.Header }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }

type requestIDKey struct{}

// WithRequestID returns a context whose problems and log lines carry id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
