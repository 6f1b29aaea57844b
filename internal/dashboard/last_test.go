package dashboard_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// While the database is away, a page that was made before is shown with its
// time, to those alone who may see it, and programs get what is true.
func TestLastPages(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	refused := errors.New("not for you")
	p := serve(t, s, func(r *http.Request, _ store.Scope) error {
		if r.Header.Get("X-Stranger") != "" {
			return refused
		}
		return nil
	})
	saveDemo(t, s)
	for _, path := range []string{"/", "/p/acme/shop", "/p/acme/shop/-/jobs"} {
		p.get(t, path, http.StatusOK)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	browser := func(r *http.Request) { r.Header.Set("Accept", "text/html") }
	for _, path := range []string{"/", "/p/acme/shop", "/p/acme/shop/-/jobs"} {
		body, header := p.get(t, path, http.StatusServiceUnavailable, browser)
		if !strings.Contains(body, "The database is away. This is the page as it was on 25 November at 16:00:00 UTC.") || !strings.Contains(body, "acme/shop") || header.Get("Retry-After") == "" {
			t.Errorf("%s is not as it was: %s", path, body)
		}
		p.get(t, path, http.StatusTeapot)
		p.get(t, path, http.StatusTeapot, browser, func(r *http.Request) { r.Header.Set("X-Stranger", "1") })
		p.get(t, path, http.StatusTeapot, browser, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"}) })
	}
	p.get(t, "/p/acme/shop/-/flaky", http.StatusTeapot, browser)
}
