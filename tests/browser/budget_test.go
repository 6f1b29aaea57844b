package browser_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/bench/filled"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
)

// The budgets of a page. They do not depend on how much is in the database: a
// chart draws at most so many pipelines one by one, a list at most so many
// rows, and time comes in at most so many buckets.
const (
	mostHTML, mostCSS, mostJS = 30 << 10, 10 << 10, 15 << 10 // bytes as they are sent
	mostNodes                 = 4000
	mostRequests              = 6
	mostShift                 = .02
	slowestPaint              = 1000 // milliseconds until the largest part is there
	tries                     = 10   // of which one has to paint in time: the machine may be busy
)

// asset is how many bytes a file is that pages load, asked for once.
func (s *site) asset(t *testing.T, path string) int {
	t.Helper()
	if n, ok := s.assets.Load(path); ok {
		return n.(int) //nolint:forcetypeassert // of ours
	}
	n := s.sent(t, path)
	s.assets.Store(path, n)
	return n
}

// sent is how many bytes come for a path, packed as browsers ask for it.
func (s *site) sent(t *testing.T, path string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%s is answered %d, packed as %q", path, answer.StatusCode, answer.Header.Get("Content-Encoding"))
	}
	n, err := io.Copy(io.Discard, answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// within holds a page that is open to its budget of bytes, nodes and requests,
// and to moving nothing once it is there. It tells whether a chart has drawn as
// many pipelines as it does at most.
func (p *tab) within(s *site, path string) (capped bool) {
	p.t.Helper()
	assets := value[[]string](p, `performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)`)
	bytes := map[string]int{}
	for _, asset := range assets {
		_, kind, _ := strings.Cut(asset[strings.LastIndex(asset, "/")+1:], ".")
		if kind == "css" || kind == "js" {
			bytes[kind] += s.asset(p.t, asset)
		}
	}
	html, nodes := s.sent(p.t, path), value[int](p, `document.getElementsByTagName('*').length`)
	p.t.Logf("%s: %d bytes of HTML, %d of CSS, %d of JavaScript, %d nodes, %d requests", path, html, bytes["css"], bytes["js"], nodes, 1+len(assets))
	if html > mostHTML || bytes["css"] > mostCSS || bytes["js"] > mostJS || nodes > mostNodes || 1+len(assets) > mostRequests {
		p.t.Errorf("%s is over its budget: %d bytes of HTML, %d of CSS, %d of JavaScript, %d nodes, %d requests", path, html, bytes["css"], bytes["js"], nodes, 1+len(assets))
	}
	if shift := value[float64](p, `new Promise(done => { new PerformanceObserver(l => done(l.getEntries().reduce((sum, e) => sum + e.value, 0))).observe({type: 'layout-shift', buffered: true}); setTimeout(() => done(0), 50) })`); shift >= mostShift {
		p.t.Errorf("%s shifts by %v", path, shift)
	}
	return !strings.HasPrefix(path, "/about") && value[bool](p, `document.body.textContent.includes(' pipelines drawn, ')`)
}

// mustPaintInTime fails where the largest part of a page, which is open, is
// there late, however often it is loaded again.
func (p *tab) mustPaintInTime(url string) {
	p.t.Helper()
	var all []float64
	for {
		paint := value[float64](p, `new Promise(done => new PerformanceObserver(l => done(l.getEntries().at(-1).startTime)).observe({type: 'largest-contentful-paint', buffered: true}))`)
		if all = append(all, paint); paint < slowestPaint {
			return
		}
		if len(all) == tries {
			p.t.Errorf("the largest part of %s was painted after %v milliseconds", url, all)
			return
		}
		p.visit(url)
	}
}

// The budgets hold however many pipelines a project has, and no card asks for
// too long: 100,000 of the last 90 days, where PMC_SOAK is 1.
func TestBudgetsSoak(t *testing.T) {
	t.Parallel()
	full := os.Getenv("PMC_SOAK") == "1"
	pipelines, limit := int64(12_000), patience
	if full {
		pipelines, limit = 100_000, 0 // as it is for people
	}
	database := filepath.Join(t.TempDir(), "busy.db")
	planted, began := makeUp(t, database, demoDays), time.Now()
	if err := filled.Busier(t.Context(), database, planted.Project, pipelines); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pipelines in %v", pipelines, time.Since(began))
	s, stop := start(t, database, func(c *server.Config) { c.Store.ReadLimit = limit })
	t.Cleanup(stop)
	s.planted = planted
	p := open(t, desk)
	for _, page := range s.pages(t) {
		for _, query := range []string{"", widest} {
			if query != "" && !varies(page) || page == "/api/docs" { // it has no data
				continue
			}
			p.visit(s.url + page + query)
			p.within(s, page+query)
			if full { // with the race detector this many pipelines take long
				p.mustPaintInTime(s.url + page + query)
			}
			if alerts := value[[]string](p, `[...document.querySelectorAll('[role=alert]')].map(e => e.closest('.card')?.id + ': ' + e.textContent)`); len(alerts) > 0 {
				t.Errorf("%s: %s", page+query, strings.Join(alerts, ", "))
			}
		}
	}
}
