package server_test

import (
	"bufio"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// What an administrator copies from the set-up page works as it stands.
func TestSetUpSnippetsWork(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), withTokens, withoutAnonymous)
	h := p.person(t)
	h.signIn(adminToken, "/setup")
	v := h.send(http.MethodPost, "/setup/token", nil)
	token := regexp.MustCompile(`<pre id="token"[^>]*>(pmc_[^<]+)</pre>`).FindStringSubmatch(v.body)
	if token == nil || strings.Count(v.body, token[1]) < 5 {
		t.Fatalf("the new token is not in the snippets:\n%s", v.body)
	}
	texts := map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)<pre id="(\w+)-text"[^>]*>(.*?)</pre>`).FindAllStringSubmatch(v.body, -1) {
		texts[m[1]] = html.UnescapeString(m[2])
	}
	_, report, _ := strings.Cut(texts["curl"], "-d '")
	report, _, _ = strings.Cut(report, "'")
	if a := p.do(t, http.MethodPost, "/save_metrics", report, bearer(token[1])); a.status != 200 {
		t.Errorf("curl: %d %s", a.status, a.body)
	}
	original, err := url.Parse(texts["original"])
	if err != nil {
		t.Fatal(err)
	}
	password, _ := original.User.Password()
	again := func(r *http.Request) { r.SetBasicAuth(original.User.Username(), password) }
	if a := p.do(t, http.MethodPost, original.Path, report, again); a.status != 208 {
		t.Errorf("the original's client: %d %s", a.status, a.body)
	}
	for _, id := range []string{"github", "gitea"} {
		hook, err := url.Parse(texts[id])
		if err != nil {
			t.Fatal(err)
		}
		event := func(r *http.Request) {
			r.Header.Set("X-Github-Event", "ping")
			r.Header.Set("X-Gitea-Event", "ping")
			r.Header.Set("X-Github-Delivery", "1")
		}
		if a := p.do(t, http.MethodPost, hook.RequestURI(), "{}", event); a.status != 202 {
			t.Errorf("%s: %d %s", id, a.status, a.body)
		}
	}
	_, body, _ := strings.Cut(texts["actions"], "<<END\n")
	body, _, _ = strings.Cut(body, "END")
	body = strings.NewReplacer("$GITHUB_REPOSITORY", "acme/shop", "$GITHUB_RUN_ID", "7", "$GITHUB_REF_NAME", "main", "$GITHUB_SHA", "b48e3d4", "$GITHUB_WORKFLOW", "ci").Replace(body)
	if a := p.do(t, http.MethodPost, "/api/v1/reports", body, bearer(token[1])); a.status != 201 {
		t.Errorf("GitHub Actions: %d %s", a.status, a.body)
	}
	// It is shown once, and only administrators make one.
	if v := h.open("/setup"); strings.Contains(v.body, token[1]) {
		t.Error("the token is shown again")
	}
	if a := p.do(t, http.MethodPost, "/setup/token", "", bearer(readToken)); a.status != 403 {
		t.Errorf("a reader made a token: %d", a.status)
	}
}

// Who may not read sees how to send, and nothing that was.
func TestSetUpShowsStrangersNothing(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), withTokens, withoutAnonymous)
	if a := p.do(t, http.MethodPost, "/save_metrics", example(t), bearer(ingestToken)); a.status != 200 {
		t.Fatal(a)
	}
	if a := p.do(t, http.MethodPost, "/save_metrics", "{", bearer(ingestToken)); a.status != 400 {
		t.Fatal(a)
	}
	a := p.do(t, http.MethodGet, "/setup", "")
	if a.status != 200 || strings.Contains(a.body, "It works") || strings.Contains(a.body, "was answered") {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := p.do(t, http.MethodGet, "/setup", "", bearer(readToken)); !strings.Contains(a.body, "It works") || !strings.Contains(a.body, "/save_metrics</b> was answered 400") {
		t.Errorf("a reader: %d %s", a.status, a.body)
	}
}

// The page that waits is told, and holds up no stop.
func TestSetUpEvents(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), func(c *server.Config) { c.ShutdownTimeout = 20 * time.Second })
	listen := func() *bufio.Scanner {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/setup/events", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return bufio.NewScanner(resp.Body)
	}
	events := listen()
	if !events.Scan() || events.Text() != "retry: 1000" {
		t.Fatalf("it begins with %q", events.Text())
	}
	if a := p.do(t, http.MethodPost, "/save_metrics", example(t)); a.status != 200 {
		t.Fatal(a)
	}
	var said []string
	for events.Scan() {
		said = append(said, events.Text())
	}
	if got := strings.Join(said, "|"); !strings.Contains(got, "event: pipeline|data: /p/test/project/-/pipelines/1") {
		t.Errorf("it says %s", got)
	}

	other := serve(t, storetest.SQLite(t), func(c *server.Config) { c.ShutdownTimeout = 20 * time.Second })
	p = other
	events = listen()
	events.Scan()
	began := time.Now()
	other.stop()
	if err := other.ended(t); err != nil || time.Since(began) > 15*time.Second {
		t.Errorf("it ended after %s, %v", time.Since(began), err)
	}
}

// Made-up data needs no administrator, but somebody who may send reports, and
// no form of another site.
func TestDemoData(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		p := serve(t, database, withTokens, func(c *server.Config) { c.Anonymous = store.Scopes{store.ScopeRead} })
		if a := p.do(t, http.MethodPost, "/setup/demo", "", bearer(readToken)); a.status != 401 && a.status != 403 {
			t.Errorf("a reader: %d", a.status)
		}
		foreign := header("Sec-Fetch-Site", "cross-site")
		p.do(t, http.MethodPost, "/setup/demo", "", bearer(ingestToken), foreign)
		if a := p.do(t, http.MethodGet, "/api/v1/projects", ""); strings.Contains(a.body, "demo/") {
			t.Error("another site made demo data")
		}
		if a := p.do(t, http.MethodPost, "/setup/demo", "", bearer(ingestToken)); a.status != 303 {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		p.waitFor(t, `action="/setup/demo/remove"`, true)
		if a := p.do(t, http.MethodPost, "/setup/demo/remove", "", bearer(ingestToken)); a.status != 303 {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		p.waitFor(t, `class="banner`, false)
		if a := p.do(t, http.MethodGet, "/api/v1/projects", ""); strings.Contains(a.body, "demo/") {
			t.Errorf("it is still there: %s", a.body)
		}
	})
}

// waitFor waits until the set-up page has the text, or has it no more.
func (p *process) waitFor(t *testing.T, text string, want bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		a := p.do(t, http.MethodGet, "/setup", "")
		if strings.Contains(a.body, text) == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q: never %v on\n%s", text, want, a.body)
		}
	}
}
