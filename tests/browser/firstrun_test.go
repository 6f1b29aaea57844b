package browser_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// report is one as the original's client sends it.
const report = `{"project": "test/project", "pipeline_id": 1, "ref": "master", "created_at": "2023-06-13T14:11:24.029+07:00", "duration": 97, "duration_e2e": 27,
	"has_restarts": false, "builds": [{"build-e2e": 64}], "jobs": [{"name": "e2e", "duration": 27, "up": 7, "e2e": 5}], "jobs_failed": []}`

// post sends a report and returns the status.
func (s *site) post(t *testing.T, path, body string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// An empty server waits for the first report, says why one was refused, and
// turns to the pipeline when it comes.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := open(t, desk)
	p.visit(s.url + "/")
	p.mustBeWithoutFault("/")
	p.wait(`document.querySelector('#waiting')`)
	if text := value[string](p, `document.querySelector('#curl-text').textContent`); !strings.Contains(text, s.url+"/save_metrics") || strings.Contains(text, "Authorization") {
		t.Errorf("the snippet is not for this server: %s", text)
	}
	if status := s.post(t, "/save_metrics", `{"project": "test/project", "pipeline_id": "x"}`); status != 400 {
		t.Fatalf("got %d", status)
	}
	p.wait(`document.querySelector('.refusals')?.textContent.includes('/save_metrics was answered 400')`)
	p.mustBeWithoutFault("/ after a refusal")
	if status := s.post(t, "/save_metrics", report); status != 200 {
		t.Fatalf("got %d", status)
	}
	p.wait(`location.pathname === '/p/test/project/-/pipelines/1'`)
	p.forget() // of the pipeline's own page, others tell
	p.visit(s.url + "/setup")
	p.wait(`document.body.textContent.includes('It works.')`)
	p.mustBeWithoutFault("/setup afterwards")
}

// The same without JavaScript: the page asks again by itself.
func TestFirstRunWithoutScript(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := open(t, noScript)
	p.visit(s.url + "/")
	if again := value[string](p, `document.querySelector('noscript meta, meta[http-equiv=refresh]')?.content ?? document.querySelector('head noscript')?.textContent ?? ''`); !strings.Contains(again, "5") {
		t.Errorf("it does not ask again: %q", again)
	}
	if status := s.post(t, "/save_metrics", report); status != 200 {
		t.Fatalf("got %d", status)
	}
	p.visit(s.url + "/")
	p.wait(`document.querySelector('main').textContent.includes('test/project')`)
}

// Demo data is there at the press of a button, marked, and gone at another.
func TestDemoOnButton(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := open(t, telephone)
	p.visit(s.url + "/")
	p.mustFit("/")
	p.press(`form[action="/setup/demo"]`)
	p.wait(`document.querySelector('.banner')`)
	p.waitOn(s.url+"/setup", `document.querySelector('.banner form[action="/setup/demo/remove"]')`)
	p.visit(s.url + "/")
	p.wait(`document.querySelector('main').textContent.includes('demo/acme/shop')`)
	p.mustFit("/")
	p.press(`form[action="/setup/demo/remove"]`)
	p.waitOn(s.url+"/", `document.querySelector('#waiting') && !document.querySelector('.banner')`)
}

const adminSecret = "an-admin-token-of-the-tests"

func closed(c *server.Config) {
	c.Anonymous = store.Scopes{store.ScopeIngest}
	c.Tokens = []server.Token{{Name: "PMC_ADMIN_TOKEN", Secret: adminSecret, Scope: store.ScopeAdmin}}
}

// An administrator signs in, makes a token and revokes it, sees a webhook that
// failed and has it read again, and signs out.
func TestAdministration(t *testing.T) {
	t.Parallel()
	s := serve(t, closed)
	p := open(t, night)
	p.visit(s.url + "/admin/tokens")
	p.wait(`location.pathname === '/signin'`)
	p.mustBeWithoutFault("/signin")
	p.do(chromedp.SendKeys(chromedp.CSS(`input[name=token]`), adminSecret))
	p.press(`form[action="/signin"]`)
	p.wait(`location.pathname === '/admin/tokens'`)
	p.do(chromedp.SendKeys(chromedp.CSS(`input[name=name]`), "gitlab"), evaluate(`document.querySelector('input[value=ingest]').click()`))
	p.press(`form[action="/admin/tokens"]`)
	p.wait(`document.querySelector('#secret')?.textContent.startsWith('pmc_')`)
	p.mustBeWithoutFault("/admin/tokens")
	p.press(`form[action$="/revoke"]`)
	p.wait(`document.querySelector('main table').textContent.includes('revoked on')`)

	if status := s.post(t, "/api/v1/webhooks/gitlab", `{"object_kind": "pipeline", "object_attributes": {"id": -1}}`); status != 202 {
		t.Fatalf("the webhook is answered %d", status)
	}
	p.waitOn(s.url+"/admin/ingest", `document.querySelector('main .o-failed')`)
	p.mustBeWithoutFault("/admin/ingest")
	p.do(chromedp.Click(chromedp.CSS(`main tbody th a`)))
	p.wait(`document.querySelector('pre.body')?.textContent.includes('object_kind')`)
	p.mustBeWithoutFault("/admin/ingest/1")
	p.press(`form[action$="/replay"]`)
	p.wait(`document.querySelector('.banner.good')?.textContent.includes('read again')`)

	p.visit(s.url + "/admin/completeness")
	p.mustBeWithoutFault("/admin/completeness")
	p.press(`form[action="/signout"]`)
	p.wait(`document.body.textContent.includes('You have signed out.')`)
	p.visit(s.url + "/admin/ingest")
	p.wait(`location.pathname === '/signin'`)
}
