package browser_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
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

// The overview paints its largest part in time.
func TestPaintsInTime(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, desk)
	var all []float64
	for range tries {
		p.visit(s.overview())
		paint := value[float64](p, `new Promise(done => new PerformanceObserver(l => done(l.getEntries().at(-1).startTime)).observe({type: 'largest-contentful-paint', buffered: true}))`)
		if all = append(all, paint); paint < slowestPaint {
			return
		}
	}
	t.Errorf("the largest part was painted after %v milliseconds", all)
}
