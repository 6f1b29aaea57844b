package browser_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// signIn signs in with a token.
func (p *tab) signIn(s *site, secret string) {
	p.t.Helper()
	p.visit(s.url + "/signin")
	p.do(chromedp.SendKeys(chromedp.CSS(`input[name=token]`), secret))
	p.press(`form[action="/signin"]`)
}

// click presses a button that leads to another page, and waits for that.
func (p *tab) click(button string) {
	p.t.Helper()
	p.do(evaluate("window.before = true; document.querySelector(" + strconv.Quote(button) + ").click()"))
	p.wait("!window.before && document.readyState === 'complete'")
}

const projectSettings = "/p/test/project/-/settings"

// The preview follows what is typed, and says what is wrong beside the field,
// with the focus where it was.
func TestSettingsShowWhatTheyDo(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	path := "/p/" + s.planted.Project + "/-/settings"
	for _, l := range []look{desk, night} {
		p := open(t, l)
		p.visit(s.url + path)
		p.run(`(() => { const f = document.querySelectorAll('[name=jobs]')[1]; f.focus(); f.value = 'e2e:search'; f.dispatchEvent(new Event('input', {bubbles: true})); })()`)
		p.wait(`[...document.querySelectorAll('#preview tr.changed')].some(r => r.textContent.includes('e2e:checkout'))`)
		if !value[bool](p, `document.activeElement === document.querySelectorAll('[name=jobs]')[1]`) {
			t.Error("the focus is lost")
		}
		p.mustBeWithoutFault(path + " with changes")
		p.run(`(() => { const f = document.querySelector('[name=keep_days]'); f.value = 'soon'; f.dispatchEvent(new Event('input', {bubbles: true})); })()`)
		p.wait(`document.querySelector('[name=keep_days]').getAttribute('aria-invalid') === 'true' && document.getElementById('/keep_days-w').textContent.includes('whole number')`)
		p.mustBeWithoutFault(path + " with a mistake")
		p.run(`(() => { const f = document.querySelector('[name=keep_days]'); f.value = ''; f.dispatchEvent(new Event('input', {bubbles: true})); })()`)
		p.wait(`!document.querySelector('[aria-invalid]') && document.querySelector('#preview tr.changed')`)
	}
}

// Without JavaScript, and on a telephone, the buttons do it all.
func TestSettingsWithoutScript(t *testing.T) {
	t.Parallel()
	s := serve(t, closed)
	if status := s.post(t, "/save_metrics", report); status != http.StatusOK {
		t.Fatalf("got %d", status)
	}
	for name, l := range map[string]look{"no script": noScript, "telephone": {width: 390, height: 844, scheme: "light", noScript: true}} {
		p := open(t, l)
		p.signIn(s, adminSecret)
		p.visit(s.url + projectSettings)
		p.mustFit(projectSettings)
		p.click(`[value="add metric"]`)
		p.run(`document.querySelector('[name=metric]').value = 'e2e', document.querySelector('[name=max]').value = '20s', document.querySelector('[name=team]').value = '` + name + `'`)
		p.click(`#preview [value=preview]`)
		p.wait(`document.querySelector('#preview .goals')?.textContent.includes('e2e: p50 at most 20s')`)
		p.mustFit(projectSettings + " with an objective")
		p.click(`[value=save]`)
		p.wait(`document.body.textContent.includes('Saved.') && document.querySelector('[name=team]').value === '` + name + `' && document.querySelector('[name=max]').value === '20s'`)
		p.click(`[value="remove metric 0"]`)
		p.wait(`!document.querySelector('[name=metric]')`)
		p.click(`[value=save]`)
		p.wait(`document.body.textContent.includes('Saved.') && !document.querySelector('[name=metric]')`)
	}
}

// A reader is told whom to ask.
func TestSettingsAreForAdministrators(t *testing.T) {
	t.Parallel()
	const reader = "a-read-token-of-the-tests"
	s := serve(t, closed, func(c *server.Config) {
		c.Contact, c.Tokens = "the platform team", append(c.Tokens, server.Token{Name: "PMC_READ_TOKEN", Secret: reader, Scope: store.ScopeRead})
	})
	if status := s.post(t, "/save_metrics", report); status != http.StatusOK {
		t.Fatalf("got %d", status)
	}
	p := open(t, desk)
	p.signIn(s, reader)
	p.visit(s.url + projectSettings)
	if text := value[string](p, `document.querySelector('#preview').textContent`); !strings.Contains(text, "Ask the platform team.") {
		t.Errorf("a reader is not told whom to ask: %s", text)
	}
	p.run(`(() => { const b = document.querySelector('#preview [value=preview]'); b.value = 'save'; })()`)
	p.click(`#preview [value=save]`)
	p.wait(`document.body.textContent.includes('Ask the platform team.') && document.body.textContent.includes('You may not do that')`)
	p.forget() // the console says 403, which is right
}
