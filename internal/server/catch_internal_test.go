package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
)

// No route of ours panics on purpose, so this test makes one, from within.
func TestPanics(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	s := &Server{
		c: Config{Now: time.Now}, log: slog.New(contextHandler{slog.NewJSONHandler(&logs, nil)}),
		door: &door{hosts: map[string]bool{"example.com": true}}, places: make(chan struct{}, 1),
	}
	s.metrics = newMetrics("", func() int { return 0 })
	m := &api.Mux{Log: s.log}
	m.Handle("GET /before", "", func(http.ResponseWriter, *http.Request) error { panic("broken") })
	m.Handle("GET /after", "", func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		panic("broken")
	})
	s.app.Store(m)

	w := httptest.NewRecorder()
	s.visit(w, httptest.NewRequest(http.MethodGet, "/before", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "internal-error") || strings.Contains(w.Body.String(), "broken") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if !strings.Contains(logs.String(), "catch_internal_test.go") || !strings.Contains(logs.String(), "request_id") {
		t.Errorf("the log does not say where:\n%s", logs.String())
	}
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // it is this very value
				t.Errorf("half an answer ends with %v, want it to be aborted", p)
			}
		}()
		s.visit(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/after", nil))
	}()
	if len(s.places) != 0 {
		t.Error("a place was not given back")
	}
}
