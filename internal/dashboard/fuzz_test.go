package dashboard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Whatever a form of settings holds and whichever button is pressed, it is
// shown again or saved, and what was saved can be opened and saved again.
func FuzzSettingsForm(f *testing.F) {
	for _, seed := range []string{
		"", "phase=build&stages=&jobs=a*%0Ab&not_jobs=&steps=", "phase=a&phase=b&jobs=x", "jobs=x&stages=y", "phase=a&jobs=*&metric=wall&percentile=0.8&max=12m",
		"phase=a&jobs=*&milestone=m&at=finish&of=a", "phase=a&jobs=*&late_after_s=NaN&price_per_minute=Inf&keep_days=99999999999", "phase=a&jobs=*&metric=wall&percentile=NaN&max=1e400s",
		"phase=%00&jobs=%ff&team=%00", "phase=a&jobs=*&metric=&metric=&percentile=0.5", "phase=a&jobs=*&default_branch=%ff", "phase=a&jobs=*&max=5m&percentile=1",
		"phase=a&jobs=*&recent=5&baseline=30&least=9&rise=7&clear=2.5%25&floor_s=1m30s&job_floor_s=0", "phase=a&jobs=*&deploy_environments=prod*%0A%20%0Alive&deploy_jobs=%ff", "phase=a&jobs=*&deploy_not_jobs=x", "phase=a&jobs=*&rise=NaN&floor_s=Inf&recent=1e3", "phase=a&jobs=*&rise=7.000000000000001&job_floor_s=1e-9s",
	} {
		for _, pressed := range []string{"save", "preview", "add phase", "up phase 1", "remove metric 0", "remove phase -1"} {
			f.Add(seed, pressed)
		}
	}
	s := storetest.Open(f, storetest.SQLite(f))
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	r := ci.Report{Project: "acme/shop", Source: ci.Push, Pipeline: ci.Pipeline{ID: 1, CreatedAt: now, Ref: "main"}, Jobs: []ci.Attempt{{Name: "build", Stage: "build"}}}
	if _, err := s.Save(f.Context(), r); err != nil {
		f.Fatal(err)
	}
	ask := handler(f, s, now)
	f.Fuzz(func(t *testing.T, form, pressed string) {
		q, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		_, shown := ask(t, nil)
		q.Set("was", inputs(t, shown).Get("was"))
		q.Set("do", pressed)
		switch status, body := ask(t, q); {
		case status == http.StatusOK || status == http.StatusBadRequest:
		case status != http.StatusSeeOther || pressed != "save":
			t.Fatalf("%d %s", status, body)
		default:
			_, shown := ask(t, nil)
			again := inputs(t, shown)
			again.Set("do", "preview")
			if status, body := ask(t, again); status != http.StatusOK || strings.Contains(body, "aria-invalid") {
				t.Fatalf("what was saved can't be saved again: %d %s", status, body)
			}
		}
	})
}

// handler asks for the page of settings, or sends its form.
func handler(f *testing.F, s *store.Store, now time.Time) func(*testing.T, url.Values) (int, string) {
	f.Helper()
	mux := http.NewServeMux()
	dashboard.New(dashboard.Config{
		Shell: shell(f), Store: s, Allow: func(*http.Request, store.Scope) error { return nil }, Now: func() time.Time { return now }, URL: func() string { return "" },
	}).Register(func(pattern string, _ store.Scope, h dashboard.Handler) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusTeapot)
			}
		})
	})
	return func(t *testing.T, q url.Values) (int, string) {
		t.Helper()
		method, body := http.MethodGet, io.Reader(nil)
		if q != nil {
			method, body = http.MethodPost, strings.NewReader(q.Encode())
		}
		r := httptest.NewRequestWithContext(t.Context(), method, settingsPath, body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
}
