package dashboard_test

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// today is the end of all made-up histories.
var today = time.Date(2026, 11, 25, 16, 0, 0, 0, time.UTC)

// A site is the pages over HTTP.
type site struct {
	url     string
	planted demo.Planted
	client  *http.Client
}

// serve serves the pages on a store.
func serve(t *testing.T, s *store.Store, allow func(*http.Request, store.Scope) error) *site {
	t.Helper()
	if allow == nil {
		allow = func(*http.Request, store.Scope) error { return nil }
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	dashboard.New(dashboard.Config{
		Shell: shell(t), Store: s, Allow: allow, Now: func() time.Time { return today },
		URL: func() string { return server.URL },
	}).Register(func(pattern string, scope store.Scope, h dashboard.Handler) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			err := error(nil)
			if scope != "" {
				err = allow(r, scope)
			}
			if err == nil {
				err = h(w, r)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusTeapot)
			}
		})
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &site{url: server.URL, client: client}
}

// demonstration serves the made-up pipelines of three weeks.
func demonstration(t *testing.T, s *store.Store) *site {
	t.Helper()
	planted := saveDemo(t, s)
	p := serve(t, s, nil)
	p.planted = planted
	return p
}

func saveDemo(t *testing.T, s *store.Store) demo.Planted {
	t.Helper()
	h := demo.Generate(1, today, 21)
	if err := h.Save(t.Context(), func(ctx context.Context, r ci.Report) error {
		_, err := s.Save(ctx, r)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return h.Planted
}

// TestDemo looks at the pages of the made-up pipelines.
func TestDemo(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		t.Helper()
		shared := demonstration(t, s)
		for name, test := range map[string]func(*site, *testing.T){
			"every page": (*site).testEveryPage, "every link": (*site).testEveryLink, "hours of the week": (*site).testHoursLeadToPipelines, "the finding": (*site).testFindingLeadsToTheCommit, "dismissing": (*site).testDismiss,
			"data": (*site).testCardData, "bad filters": (*site).testBadFilters, "kept": (*site).testPagesAreKept, "finding": (*site).testFind, "bars": (*site).testBarsLeadToTheirPipelines, "lengths": (*site).testListsByLength, "what changed": (*site).testWhatChanged, "where": (*site).testWhere,
		} {
			if name == "every link" && s.Engine() == "postgres" {
				continue // links come of the same code; every page is made on both
			}
			t.Run(name, func(t *testing.T) {
				jar, err := cookiejar.New(nil)
				if err != nil {
					t.Fatal(err)
				}
				client := *shared.client
				client.Jar = jar
				test(&site{url: shared.url, planted: shared.planted, client: &client}, t)
			})
		}
	})
}

// get is the page at a path, which must be answered with status.
func (p *site) get(t *testing.T, path string, status int, changes ...func(*http.Request)) (string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(r)
	}
	return p.do(t, r, status)
}

func (p *site) do(t *testing.T, r *http.Request, status int) (string, http.Header) {
	t.Helper()
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s is answered %d, want %d: %.300s", r.URL.RequestURI(), resp.StatusCode, status, body)
	}
	return string(body), resp.Header
}

// pages are all that the made-up pipelines have.
func pages() []string {
	const shop = "/p/acme/shop"
	return []string{
		"/", "/pipelines", "/jobs", "/flaky", "/queue", "/dora", "/about/metrics", shop, shop + "/-/pipelines", shop + "/-/jobs", shop + "/-/flaky", shop + "/-/queue", shop + "/-/dora", shop + "/-/compare", shop + "/-/settings", shop + "/-/jobs/e2e:checkout",
	}
}

// Every page has one h1 and its landmarks, says no wrong, and loads nothing
// from elsewhere.
func (p *site) testEveryPage(t *testing.T) {
	t.Helper()
	list, _ := p.get(t, "/p/acme/shop/-/pipelines", http.StatusOK)
	one := regexp.MustCompile(`/p/acme/shop/-/pipelines/\d+`).FindString(list)
	for _, path := range append(pages(), one) {
		body, header := p.get(t, path, http.StatusOK)
		for text, times := range map[string]int{"<h1>": 1, "<main ": 1, "<nav aria-label=\"Main\">": 1, `<form class="find" role="search"`: 1, "</html>": 1} {
			if n := strings.Count(body, text); n != times {
				t.Errorf("%s has %s %d times, want %d", path, text, n, times)
			}
		}
		for _, wrong := range []string{"NaN", "Inf", "%!", "&lt;nil&gt;", "<no value>", `role="alert"`, "style=\"", "ZgotmplZ", " onclick", `labelledby="-t`} {
			if i := strings.Index(body, wrong); i >= 0 {
				t.Errorf("%s has %q: %s", path, wrong, body[max(0, i-200):min(len(body), i+100)])
			}
		}
		if m := regexp.MustCompile(`(src|action)="(https?:)?//[^"]*|<(link|script|img)[^>]+"(https?:)?//[^"]*"`).FindString(body); m != "" {
			t.Errorf("%s loads %s", path, m)
		}
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if ids[m[1]] {
				t.Errorf("%s has the id %s twice", path, m[1])
			}
			ids[m[1]] = true
		}
		if strings.Contains(header.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: %s", path, header.Get("Content-Security-Policy"))
		}
		if n := packed(t, []byte(body)); n > 30<<10 {
			t.Errorf("%s is %d bytes packed, more than 30 KiB", path, n)
		}
		if n := strings.Count(body, "<") - strings.Count(body, "</"); n > 4000 {
			t.Errorf("%s has %d elements, more than 4,000", path, n)
		}
	}
}

// Every link of a page leads to something.
func (p *site) testEveryLink(t *testing.T) {
	t.Helper()
	elsewhere := regexp.MustCompile(`^(https?:|/api/|/readyz|/signin|#|$)`)
	anchors, _ := p.get(t, "/about/metrics", http.StatusOK)
	seen := map[string]bool{}
	for _, path := range pages() {
		body, _ := p.get(t, path, http.StatusOK)
		for _, m := range regexp.MustCompile(`<a [^>]*href="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			href := strings.ReplaceAll(m[1], "&amp;", "&")
			if anchor, ok := strings.CutPrefix(href, "/about/metrics#"); ok && !strings.Contains(anchors, `id="`+anchor+`"`) {
				t.Errorf("%s leads to a definition that is not there: %s", path, anchor)
			}
			kind := kindOf(href) // one of each will do
			if elsewhere.MatchString(href) || seen[kind] {
				continue
			}
			seen[kind] = true
			if !strings.HasPrefix(href, "/") {
				t.Errorf("%s has the link %q", path, href)
				continue
			}
			p.get(t, strings.SplitN(href, "#", 2)[0], http.StatusOK)
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d links were tried", len(seen))
	}
}

// An hour of the week leads to pipelines, and so does its cell in the table.
func (p *site) testHoursLeadToPipelines(t *testing.T) {
	t.Helper()
	body, _ := p.get(t, "/p/"+p.planted.Project+"/-/queue", http.StatusOK)
	cells := regexp.MustCompile(`<a href="([^"]+)" tabindex="-1"><rect [^>]*class="h\d"><title>[A-Z][a-z]+ \d\d: [^<]+, and the last time on \d+ [A-Z][a-z]+</title>`).FindAllStringSubmatch(body, -1)
	if len(cells) < 20 {
		t.Fatalf("only %d hours lead somewhere", len(cells))
	}
	for _, cell := range cells[:20] {
		if strings.Count(body, `<a href="`+cell[1]+`">`) == 0 {
			t.Errorf("the table does not lead to %s", cell[1])
		}
		if list, _ := p.get(t, strings.ReplaceAll(cell[1], "&amp;", "&"), http.StatusOK); !strings.Contains(list, `<th scope="row"`) {
			t.Errorf("there are no pipelines at %s", cell[1])
		}
	}
}

// kindOf is what links of the same kind have in common: all but which project,
// pipeline, job and value they name.
func kindOf(href string) string {
	kind := regexp.MustCompile(`^/p/[^?#]*?(/-/|$)`).ReplaceAllString(href, "/p$1")
	kind = regexp.MustCompile(`/-/jobs/[^?]+`).ReplaceAllString(kind, "/-/jobs/")
	return regexp.MustCompile(`\d+|=[^&]*`).ReplaceAllString(kind, "")
}

// The finding is what was planted, and two clicks lead to the commit.
func (p *site) testFindingLeadsToTheCommit(t *testing.T) {
	t.Helper()
	body, _ := p.get(t, "/p/"+p.planted.Project, http.StatusOK)
	if !strings.Contains(body, "<b>Slower since ") || !strings.Contains(body, ">"+p.planted.Job+"</a>") {
		t.Fatalf("the finding is not there:\n%s", body)
	}
	m := regexp.MustCompile(`began with pipeline <a href="([^"]+)">#\d+</a>`).FindStringSubmatch(body)
	if m == nil {
		t.Fatal("the finding names no pipeline")
	}
	if page, _ := p.get(t, m[1], http.StatusOK); !strings.Contains(page, p.planted.Commit) {
		t.Errorf("%s does not name commit %s", m[1], p.planted.Commit)
	}
}

// Who dismisses a finding does not see it again, and all others do.
func (p *site) testDismiss(t *testing.T) {
	t.Helper()
	body, _ := p.get(t, "/p/acme/shop", http.StatusOK)
	form := regexp.MustCompile(`name="key" value="([^"]+)"><input type="hidden" name="p50" value="([^"]+)"`).FindStringSubmatch(body)
	if form == nil {
		t.Fatal("there is nothing to dismiss")
	}
	post := func(to, header string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/dismiss", strings.NewReader("key="+form[1]+"&p50="+form[2]+"&to="+to))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", header)
		return r
	}
	p.do(t, post("/p/acme/shop", "cross-site"), http.StatusSeeOther)
	if body, _ := p.get(t, "/p/acme/shop", http.StatusOK); !strings.Contains(body, "Slower since") {
		t.Error("another site dismissed it")
	}
	if _, header := p.do(t, post("//evil.example.com", "same-origin"), http.StatusSeeOther); header.Get("Location") != "/" {
		t.Errorf("it leads to %s", header.Get("Location"))
	}
	body, _ = p.get(t, "/p/acme/shop", http.StatusOK)
	if strings.Contains(body, "<b>Slower since") || !strings.Contains(body, "Dismissed for you") {
		t.Errorf("it is still there, or nothing says so:\n%.2000s", body)
	}
	p.client.Jar, _ = cookiejar.New(nil)
	if body, _ := p.get(t, "/p/acme/shop", http.StatusOK); !strings.Contains(body, "<b>Slower since") {
		t.Error("others do not see it either")
	}
}

// The table of a card, its CSV and its JSON are the same data.
func (p *site) testCardData(t *testing.T) {
	t.Helper()
	text, header := p.get(t, "/p/acme/shop/-/data/duration.csv?range=7d", http.StatusOK)
	lines := strings.Split(strings.TrimSpace(text), "\r\n")
	if lines[0] != "start,count,p50_s,p80_s,p95_s" || len(lines) < 25 {
		t.Errorf("%d lines of CSV, the first is %q", len(lines), lines[0])
	}
	if d := header.Get("Content-Disposition"); d != `attachment; filename="acme-shop_duration_2026-11-19_2026-11-25.csv"` {
		t.Error(d)
	}
	if text, _ := p.get(t, "/p/acme/shop/-/data/duration.json?range=7d", http.StatusOK); strings.Count(text, `"p50_s"`) != len(lines)-1 {
		t.Errorf("JSON has other rows than CSV: %.200s", text)
	}
	svg, header := p.get(t, "/p/acme/shop/-/data/duration.svg?range=7d", http.StatusOK)
	if !strings.HasPrefix(svg, "<svg xmlns=") || strings.Contains(svg, "var(") || strings.Contains(svg, "light-dark") || header.Get("Content-Type") != "image/svg+xml; charset=utf-8" {
		t.Errorf("%v %.500s", header, svg)
	}
	badge, header := p.get(t, "/p/acme/shop/-/badge.svg?metric=time_to_e2e&p=0.8", http.StatusOK)
	if !strings.Contains(badge, ">time to e2e p80</text>") || header.Get("Content-Type") != "image/svg+xml; charset=utf-8" {
		t.Errorf("%v %s", header, badge)
	}
	for _, path := range []string{"duration.xml", "nothing.csv", "flaky.svg", ".csv", ""} {
		p.get(t, "/p/acme/shop/-/data/"+path, http.StatusTeapot)
	}
}

// Where the time goes is said by phase, with getting ready apart: there
// is what was planted.
func (p *site) testWhere(t *testing.T) {
	t.Helper()
	text, _ := p.get(t, "/p/acme/shop/-/data/where.json", http.StatusOK)
	var rows []map[string]any
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		t.Fatal(err)
	}
	answer, _ := p.get(t, "/p/acme/shop/-/data/where.csv", http.StatusOK)
	if head, _, _ := strings.Cut(answer, "\r\n"); !strings.HasPrefix(head, "start,count,queue_s,build_s,set_up_s,e2e_s,other_s") {
		t.Errorf("the columns are %s", head)
	}
	const slower = 60 // seconds by which the planted step is longer
	first, last := 0.0, 0.0
	for _, r := range rows {
		if s, ok := r["set_up_s"].(float64); ok {
			if first == 0 {
				first = s
			}
			last = s
		}
	}
	if last < first+slower {
		t.Errorf("set-up went from %v to %v seconds, though the planted slow-down is in it", first, last)
	}
}

// What a query says that can't be understood is left out, and said.
func (p *site) testBadFilters(t *testing.T) {
	t.Helper()
	body, _ := p.get(t, "/p/acme/shop?range=soon&bucket=tiny&ref=@other&restarts=in&restarts=out&x=%3Cscript%3E", http.StatusOK)
	if n := strings.Count(body, " was left out. "); n != 4 || strings.Contains(body, "<script>") {
		t.Errorf("%d notices, want 4", n)
	}
	p.get(t, "/p/acme/nothing", http.StatusTeapot)
	p.get(t, "/p/acme/shop/-/nothing", http.StatusTeapot)
	p.get(t, "/p/acme/shop/-/pipelines/x", http.StatusTeapot)
	p.get(t, "/p/acme/shop/-/pipelines/7", http.StatusTeapot)
	if body, _ := p.get(t, "/p/acme/shop/-/jobs/e2e:checkout", http.StatusOK); !regexp.MustCompile(`(?s)id="job-parts".*?>set-up<.*id="job-runners".*?class="rangebar".*?class="spark"`).MatchString(body) {
		t.Error("the page of a job does not say what its time is made of, or how its runners do")
	}
	if body, _ := p.get(t, "/p/acme/shop/-/jobs/nothing", http.StatusOK); !strings.Contains(body, "The job did not run") {
		t.Error("a job that never ran has a page of its own")
	}
	if body, _ := p.get(t, "/p/acme/shop/-/pipelines?trigger=nobody", http.StatusOK); !strings.Contains(body, "The filters leave no pipelines") || !strings.Contains(body, "trigger: nobody") && !strings.Contains(body, ">nobody<") {
		t.Error("nothing says why the list is empty")
	}
	body, _ = p.get(t, "/p/acme/shop/-/pipelines?trigger=nobody&runner=shop-2&ref=@all", http.StatusOK)
	found := regexp.MustCompile(`href="([^"]*)">Without trigger: nobody \((\d+) pipelines\)<`).FindStringSubmatch(body)
	if found == nil || strings.Contains(body, "Without runner") {
		t.Fatalf("nothing says what to leave out: %s", body)
	}
	rows, _ := p.get(t, strings.Replace(html.UnescapeString(found[1]), "/-/pipelines?", "/-/data/pipelines.csv?", 1), http.StatusOK)
	if n := strings.Count(rows, "\n") - 1; strconv.Itoa(n) != found[2] {
		t.Errorf("without the filter there are %d pipelines, the page says %s", n, found[2])
	}
}

// The same address is answered once for some seconds, and with 304 to who has
// it already.
func (p *site) testPagesAreKept(t *testing.T) {
	t.Helper()
	_, header := p.get(t, "/p/acme/shop", http.StatusOK)
	tag := header.Get("Etag")
	if tag == "" || header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("got %v", header)
	}
	p.get(t, "/p/acme/shop", http.StatusNotModified, func(r *http.Request) { r.Header.Set("If-None-Match", tag) })
	dark, _ := p.get(t, "/p/acme/shop", http.StatusOK, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"}) })
	if !strings.Contains(dark, `data-theme="dark"`) {
		t.Error("who wants it dark gets the kept one")
	}
}

// Names of all sorts are shown, linked and escaped.
func TestAwkwardNames(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	name := `a/"b" <i>&` + strings.Repeat("x", 180) + `🚀`
	at := today.Add(-time.Hour)
	for i, job := range []string{`build/a b?c#d%2F`, "a//b", "../x", "<script>alert(1)</script>", "تجربة"} {
		r := ci.Report{Project: name, Pipeline: ci.Pipeline{ID: int64(i + 1), Ref: "<b>main</b>", DefaultBranch: "<b>main</b>", CreatedAt: at, FinishedAt: at.Add(time.Minute), State: ci.Finished, Result: ci.Success}}
		r.Jobs = []ci.Attempt{{Name: job, ID: "1", CreatedAt: at, StartedAt: at, FinishedAt: at.Add(time.Minute), State: ci.Finished, Result: ci.Failure}}
		if _, err := s.Save(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	p := serve(t, s, nil)
	home, _ := p.get(t, "/", http.StatusOK)
	href := regexp.MustCompile(`href="(/p/[^"?]*)`).FindStringSubmatch(home)
	if href == nil {
		t.Fatal(home)
	}
	list, _ := p.get(t, strings.ReplaceAll(href[1], "&amp;", "&")+"/-/pipelines?ref=%40all", http.StatusOK)
	if strings.Contains(list, "<script>alert") || strings.Contains(list, "<b>main") {
		t.Error("a name was taken for HTML")
	}
	jobs := regexp.MustCompile(`href="([^"]*/-/jobs/[^"]+)"`).FindAllStringSubmatch(list, -1)
	if len(jobs) != 5 {
		t.Errorf("%d links to jobs, want 5", len(jobs))
	}
	for _, m := range jobs {
		body, _ := p.get(t, strings.ReplaceAll(m[1], "&amp;", "&"), http.StatusOK)
		if strings.Contains(body, "did not run") {
			t.Errorf("%s leads to another job", m[1])
		}
	}
}

// Who may not read sees how to send a report, and nothing that is stored.
func TestNotAllowed(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	p := serve(t, s, func(*http.Request, store.Scope) error { return store.ErrUnknown })
	if body, _ := p.get(t, "/setup", http.StatusOK); !strings.Contains(body, "/save_metrics") || strings.Contains(body, "<nav") {
		t.Error(body)
	}
	p.get(t, "/", http.StatusTeapot)
	p.get(t, "/p/acme/shop", http.StatusTeapot)
}

func (p *site) testFind(t *testing.T) {
	t.Helper()
	for query, want := range map[string]string{
		"q=acme/shop":                  "/p/acme/shop",
		"q=unit&in=acme/shop":          "/p/acme/shop/-/jobs?q=unit",
		"q=%2317&in=acme/shop":         "/p/acme/shop/-/pipelines?ref=%40all&q=%2317",
		"q=76ecfbb4&in=acme/shop":      "/p/acme/shop/-/pipelines?ref=%40all&range=1y&q=76ecfbb4",
		"q=x%26y":                      "/?q=x%26y",
		"q=&in=acme/shop":              "/",
		"q=acme/money&in=acme/nothing": "/p/acme/money",
	} {
		if _, header := p.get(t, "/find?"+query, http.StatusSeeOther); header.Get("Location") != want {
			t.Errorf("%s leads to %s, want %s", query, header.Get("Location"), want)
		}
	}
}

// A pipeline whose creation nobody told is in the list, and says so.
func TestGuessedCreationIsShown(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		at := today.Add(-time.Hour)
		for _, r := range []ci.Report{
			{Project: "acme/shop", Pipeline: ci.Pipeline{ID: 41, Ref: "main", CreatedAt: at, State: ci.Running}},
			{Project: "acme/shop", Pipeline: ci.Pipeline{ID: 42, Ref: "main"}, Jobs: []ci.Attempt{{ID: "1", Name: "e2e", StartedAt: at, State: ci.Running}}},
		} {
			if _, err := s.Save(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		body, _ := serve(t, s, nil).get(t, "/p/acme/shop/-/pipelines?range=24h", http.StatusOK)
		const says = "Nobody told when it was created"
		if strings.Count(body, says) != 1 || strings.Index(body, says) < strings.Index(body, "#42") || !strings.Contains(body, "#41") {
			t.Errorf("the list says it %d times, want once, of #42:\n%s", strings.Count(body, says), body)
		}
	})
}
