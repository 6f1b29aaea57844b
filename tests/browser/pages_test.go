package browser_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// pages are all that people can open on the made-up pipelines.
func (s *site) pages(t *testing.T) []string {
	t.Helper()
	project := "/p/" + s.planted.Project
	_, failed := s.fetch(t, project+"/-/pipelines?result=failure&range=90d")
	one := regexp.MustCompile(regexp.QuoteMeta(project) + `/-/pipelines/\d+`).FindString(failed)
	if one == "" {
		t.Fatal("no pipeline has failed")
	}
	return []string{
		"/", "/pipelines", "/jobs", "/flaky", "/queue", "/dora", "/about/metrics", "/api/docs", "/setup", "/signin", "/admin/completeness",
		project, project + "/-/pipelines", one, project + "/-/jobs", project + "/-/jobs/" + s.planted.Job, project + "/-/flaky", project + "/-/queue", project + "/-/compare", project + "/-/dora", project + "/-/settings",
	}
}

// widest are the filters with which a page shows the most.
const widest = "?range=90d&ref=%40all&tz=UTC"

// varies tells whether a page shows what its filters say.
func varies(path string) bool {
	return path == "/" || strings.HasPrefix(path, "/p/") && !strings.Contains(path, "/-/pipelines/")
}

// Every page is without fault to axe, by day and by night, no wider than its
// window, on a desk and on a telephone, and within its budgets: these also with
// as much as it shows at most.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	var capped atomic.Bool
	t.Cleanup(func() {
		if _, err := axeSource(); err == nil && !capped.Load() { // without it the pages are skipped
			t.Error("no page had more pipelines than a chart draws: the budgets were not put to the test")
		}
	})
	all := s.pages(t)
	for name, some := range map[string][]string{"first": all[:len(all)/2], "second": all[len(all)/2:]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t, desk)
			for _, path := range some {
				p.visit(s.url + path)
				if path != "/api/docs" { // it lists every route of the API on one page, and no data
					p.within(s, path)
					p.mustPaintInTime(s.url + path)
				}
				p.mustFit(path)
				p.do(chromedp.EmulateViewport(telephone.width, telephone.height))
				p.mustFit(path + " on a telephone")
				p.do(chromedp.EmulateViewport(desk.width, desk.height))
				p.mustBeWithoutFault(path)
				p.run(`document.documentElement.dataset.theme = 'dark'`)
				p.mustBeWithoutFault(path+" by night", "color-contrast", "link-in-text-block") // all else is the same
				if varies(path) {
					path += widest
					p.visit(s.url + path)
					if p.within(s, path) {
						capped.Store(true)
					}
				}
			}
		})
	}
}

// odd are names as people do not give them, but may.
func odd() []string {
	return []string{
		"e2e:" + strings.Repeat("a-very-long-name-that-somebody-generated-", 5), strings.Repeat("x", 200),
		"اختبار الدفع من البداية إلى النهاية", "בדיקה / מהירה", "日本語のとても長いジョブ名前テスト実行", "e2e 🚀👩‍👩‍👧‍👦", `"quoted" <b>it's</b>`, "a\u202egnp.exe", "..", "100%25?&=#",
	}
}

// oddShown are those names as pages show them.
func oddShown() []string {
	names := odd()
	for i, name := range names {
		names[i] = strings.ReplaceAll(name, "\u202e", "\uFFFD")
	}
	return names
}

// Names of any length, script and direction keep their place on every page, and
// turn nothing beside them around.
func TestOddNames(t *testing.T) {
	t.Parallel()
	s := serve(t)
	created := time.Now().Add(-3 * time.Hour)
	var projects []string
	for i, name := range odd() {
		if name == ".." {
			continue // no path of a project
		}
		r := ci.Report{Provider: "jenkins", Project: "odd/" + name, Pipeline: ci.Pipeline{
			ID: int64(i + 1), Ref: name, DefaultBranch: name, Workflow: name, Commit: strings.Repeat("c0ffee", 6), Trigger: "push",
			State: ci.Finished, Result: ci.Failure, CreatedAt: created, FinishedAt: created.Add(time.Hour),
		}}
		for k, job := range odd() {
			from := created.Add(time.Duration(k) * time.Minute)
			r.Jobs = append(r.Jobs, ci.Attempt{
				ID: job, Name: job, Stage: name, State: ci.Finished, Result: ci.Failure, FailureReason: job, CreatedAt: created, StartedAt: from, FinishedAt: from.Add(time.Minute),
				Runner: &ci.Runner{Name: name}, Environment: name,
			})
		}
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if status := s.post(t, "/api/v1/reports", string(body)); status != http.StatusCreated {
			t.Fatalf("project %s is answered %d", name, status)
		}
		projects = append(projects, "/p/odd/"+url.PathEscape(name))
	}
	p := open(t, telephone)
	for i, project := range projects {
		p.visit(s.url + project)
		if title := value[string](p, `document.querySelector('h1').textContent`); !slices.Contains(oddShown(), strings.TrimPrefix(title, "odd/")) {
			t.Errorf("%s has the title %q", project, title)
		}
		p.mustFit(project)
		p.visit(s.url + value[string](p, `new URL(document.querySelector('.last a').href).pathname`))
		p.mustFit(project + ", its pipeline")
		if i > 0 {
			continue // the other pages are alike
		}
		for _, path := range []string{"/", "/pipelines?ref=@all", "/jobs", project + "/-/jobs", project + "/-/flaky", project + "/-/compare", project + "/-/dora", project + "/-/pipelines"} {
			p.visit(s.url + path)
			p.mustFit(path)
		}
		for i, job := range odd() {
			p.visit(s.url + project + "/-/jobs?name=" + url.QueryEscape(job))
			p.mustFit("job " + job)
			if title := value[string](p, `document.querySelector('h1').textContent`); title != oddShown()[i] {
				t.Errorf("the page of job %q has the title %q", job, title)
			}
			if value[bool](p, `/[\u202a-\u202e\u2066-\u2069]/.test(document.body.innerText)`) {
				t.Errorf("the page of job %q shows what turns the direction of text around", job)
			}
		}
	}
	// Each name stands by itself: its direction ends where it ends.
	p.visit(s.url + "/jobs")
	if open := value[[]string](p, `[...document.querySelectorAll('main a, main small, main b')].filter(e => getComputedStyle(e).unicodeBidi !== 'isolate').map(e => e.outerHTML.slice(0, 120))`); len(open) > 0 {
		t.Errorf("names that are not isolated: %s", strings.Join(open, "\n"))
	}
}

// mustBeWithoutFault has axe look at the page: by all rules, or by some.
func (p *tab) mustBeWithoutFault(path string, rules ...string) {
	p.t.Helper()
	for _, fault := range p.axe(rules) {
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

// alike is what there is so much of on the page of the API that axe takes long,
// and of which some stand for all: its routes and schemas.
const alike = `main > section[id]:nth-of-type(n+8), main > details[id^=schema-]:nth-of-type(n+4)`

// axe is what axe-core finds wrong with the page: WCAG 2.2 up to AA, and good
// practice. It takes off the page what is alike.
func (p *tab) axe(rules []string) []string {
	p.t.Helper()
	source, err := axeSource()
	if err != nil {
		p.t.Skip("axe-core is not there: scripts/test-needs packages installs it")
	}
	// By the browser's protocol, so the page's own policy stays as it is.
	p.do(evaluate("for (const e of document.querySelectorAll('"+alike+"')) e.remove();"), evaluate("if (!window.axe) {"+source+"}; undefined"))
	only := `['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']`
	if len(rules) > 0 {
		only = `['` + strings.Join(rules, "', '") + `']`
	}
	return value[[]string](p, `axe.run({resultTypes: ['violations'], runOnly: `+only+`}).then(
		r => r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.failureSummary + ' ' + n.html.slice(0, 200))))`)
}

// axeSource is read once.
var axeSource = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile(filepath.Join("..", "..", "web", "devtools", "node_modules", "axe-core", "axe.min.js"))
	return string(b), err
})
