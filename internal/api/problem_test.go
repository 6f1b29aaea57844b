package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Every error has one status, however it is wrapped. What the caller can't act
// upon is logged and not told.
func TestErrorsBecomeStatuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		kind   string
		retry  string
	}{
		{&ci.InvalidError{Fields: []ci.FieldError{{Pointer: "/a b", Reason: "is required"}}}, 400, "invalid-report", ""},
		{store.ErrClash, 409, "number-taken", ""},
		{store.ErrBusy, 503, "busy", "1"},
		{store.ErrAway, 503, "database-away", "5"},
		{store.ErrClosed, 503, "closing", "5"},
		{context.DeadlineExceeded, 503, "database-away", "5"},
		{context.Canceled, 499, "incomplete-body", ""},
		{api.Unauthorized("a"), 401, "unauthorized", ""},
		{api.Forbidden("a"), 403, "forbidden", ""},
		{api.UnknownHost("a"), 421, "unknown-host", ""},
		{api.Overloaded(), 503, "busy", "1"},
		{api.Starting("a"), 503, "starting", "5"},
		{errors.New("secret of the database"), 500, "internal-error", ""},
	} {
		var logs bytes.Buffer
		m := &api.Mux{Log: slog.New(slog.NewJSONHandler(&logs, nil))}
		m.Handle("GET /a/b", "", func(http.ResponseWriter, *http.Request) error { return fmt.Errorf("wrapped: %w", c.err) })
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/a/b?token=secret", nil)
		m.ServeHTTP(w, r.WithContext(api.WithRequestID(r.Context(), "id-1")))
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.status || p.Status != c.status || p.Type != "urn:pipeline-metrics-collector:problem:"+c.kind || w.Header().Get("Retry-After") != c.retry {
			t.Errorf("%v: got %d, Retry-After %q, %s; want %d, %q, %s", c.err, w.Code, w.Header().Get("Retry-After"), w.Body, c.status, c.retry, c.kind)
		}
		if p.Instance != "/a/b" || p.RequestID != "id-1" || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: got %s", c.err, w.Body)
		}
		if logged := strings.Contains(logs.String(), "secret of the database"); logged != (c.status == 500) {
			t.Errorf("%v: the log has %q", c.err, logs.String())
		}
		if c.status == 400 && (len(p.Errors) != 1 || p.Errors[0].Pointer != "#/a%20b") {
			t.Errorf("got %s", w.Body)
		}
	}
}

// Every kind of problem is documented with its status.
func TestProblemsAreDocumented(t *testing.T) {
	t.Parallel()
	source, page := read(t, "problem.go"), read(t, "../../docs/api.md")
	_, table, _ := strings.Cut(source, "// The kinds of problems.")
	table, _, _ = strings.Cut(table, "\n)\n")
	kinds := 0
	for line := range strings.Lines(table) {
		if _, value, ok := strings.Cut(line, "= \""); ok {
			kinds++
			if kind := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), `"`)); !strings.Contains(page, "`"+kind+"`") {
				t.Errorf("%s is not in docs/api.md", kind)
			}
		}
	}
	if kinds < 10 {
		t.Errorf("found only %d kinds", kinds)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
