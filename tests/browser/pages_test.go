package browser_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pages are all that people can open on the made-up pipelines.
func pages(s *site) []string {
	project := "/p/" + s.planted.Project
	return []string{
		"/", "/pipelines", "/jobs", "/about/metrics", "/api/docs",
		project, project + "/-/pipelines", project + "/-/jobs", project + "/-/jobs/" + s.planted.Job, project + "/-/flaky", project + "/-/queue", project + "/-/compare", project + "/-/dora", project + "/-/settings",
	}
}

// Every page is without fault to axe, by day and by night.
func TestEveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	for name, l := range map[string]look{"light": desk, "dark": night} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t, l)
			for _, path := range pages(s) {
				p.visit(s.url + path)
				p.mustBeWithoutFault(path)
				p.mustFit(path)
			}
		})
	}
}

// No page is wider than a telephone.
func TestEveryPageFitsATelephone(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, telephone)
	for _, path := range pages(s) {
		p.visit(s.url + path)
		p.mustFit(path)
	}
}

func (p *tab) mustBeWithoutFault(path string) {
	p.t.Helper()
	for _, fault := range p.axe() {
		p.t.Errorf("%s: %s", path, fault)
	}
}

// mustFit fails where the page is wider than the window.
func (p *tab) mustFit(path string) {
	p.t.Helper()
	if over := value[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		wide := value[[]string](p, `[...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).slice(0, 5).map(e => e.outerHTML.slice(0, 120))`)
		p.t.Errorf("%s is %d px wider than its window: %s", path, over, strings.Join(wide, "\n"))
	}
}

// axe is what axe-core finds wrong with the page: WCAG 2.2 up to AA, and good
// practice. Rows of one table are alike, and so are the routes that the API's
// page lists: some of them stand for all, since axe takes long.
func (p *tab) axe() []string {
	p.t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", "web", "devtools", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		p.t.Skip("axe-core is not there: scripts/test-needs packages installs it")
	}
	// By the browser's protocol, so the page's own policy stays as it is.
	p.do(evaluate(string(source)))
	return value[[]string](p, `axe.run({exclude: [['tbody tr:nth-child(n+8)'], ['main > section[id]:nth-of-type(n+8) > table'], ['main > details[id^=schema-]:nth-of-type(n+4)']]}, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(
		r => r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.failureSummary + ' ' + n.html.slice(0, 200))))`)
}
