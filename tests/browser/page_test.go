package browser_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long one step in the browser may take on a slow machine.
const patience = 3 * time.Minute

// A look is how somebody looks at pages.
type look struct {
	width, height int64
	scheme        string // light or dark
	noScript      bool
}

var (
	desk      = look{width: 1440, height: 1000, scheme: "light"}
	night     = look{width: 1440, height: 1000, scheme: "dark"}
	telephone = look{width: 390, height: 844, scheme: "light"}
	noScript  = look{width: 1440, height: 1000, scheme: "light", noScript: true}
)

// A tab is one of the browser, with cookies of its own.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu    sync.Mutex
	said  []string // in the console, but for what the tests say there
	heard chan string
}

// open opens a tab. At the end of the test its console must be empty: that is
// where a page that is not content with our policy, or that lacks a file,
// complains.
func open(t *testing.T, l look) *tab {
	t.Helper()
	ctx, leave := chromedp.NewContext(chromium(t), chromedp.WithNewBrowserContext())
	p := &tab{t: t, ctx: ctx, heard: make(chan string, 1)}
	t.Cleanup(leave)
	p.do(
		chromedp.EmulateViewport(l.width, l.height),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: l.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
		call(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"}),
		call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.noScript}),
	)
	go p.listen(chromedp.Console(ctx))
	t.Cleanup(p.mustBeQuiet)
	return p
}

func (p *tab) listen(console func(yield func(chromedp.ConsoleMessage, error) bool)) {
	for m, err := range console {
		if err != nil {
			return
		}
		if mark, ok := strings.CutPrefix(m.Text, "mark "); ok {
			p.heard <- mark
			continue
		}
		if m.Type == chromedp.ConsoleDebug || m.Type == chromedp.ConsoleInfo || m.Type == chromedp.ConsoleLog {
			continue // no complaint
		}
		p.mu.Lock()
		p.said = append(p.said, m.String()+" "+m.URL)
		p.mu.Unlock()
	}
}

// console is all that was said until now.
func (p *tab) console() []string {
	p.t.Helper()
	mark := rand.Text()
	p.run(fmt.Sprintf(`console.log("mark %s")`, mark))
	select {
	case got := <-p.heard:
		if got != mark {
			p.t.Fatalf("the console says mark %q, want %q", got, mark)
		}
	case <-time.After(patience):
		p.t.Fatal("the console does not answer")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.said...)
}

func (p *tab) mustBeQuiet() {
	if p.t.Failed() {
		return
	}
	for _, line := range p.console() {
		p.t.Errorf("the console says: %s", line)
	}
}

// do does steps, and fails the test where one fails or takes too long.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx); err != nil { // a new tab lives as long as p.ctx
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// visit goes to a page and waits until all of it is loaded.
func (p *tab) visit(url string) { p.t.Helper(); p.do(chromedp.Navigate(url)) }

// run evaluates JavaScript, also where the page itself may run none.
func (p *tab) run(script string) { p.t.Helper(); value[any](p, script) }

// value is what JavaScript evaluates to, or what its promise is resolved with.
func value[T any](p *tab, script string) (v T) {
	p.t.Helper()
	text := ask(p, chromedp.Evaluate[string]("(async () => JSON.stringify(await ("+script+")) ?? 'null')()", chromedp.EvalAwaitPromise))
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		p.t.Fatalf("%s is %s: %v", script, text, err)
	}
	return v
}

// wait waits until JavaScript evaluates to true. A page that is just being left
// for another evaluates nothing.
func (p *tab) wait(script string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+script+")")); err == nil && ok {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("never came true: %s\n%s", script, value[string](p, `location.href + "\n" + document.body.innerText`))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// waitOn loads the page again and again until JavaScript evaluates to true
// there.
func (p *tab) waitOn(url, script string) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		p.visit(url)
		if value[bool](p, "Boolean("+script+")") {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("never came true on %s: %s\n%s", url, script, value[string](p, `document.body.innerText`))
		}
	}
}

// forget forgets what the console said until now.
func (p *tab) forget() {
	p.t.Helper()
	p.console()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = nil
}

// ask does one step and returns its value.
func ask[T any](p *tab, step chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, step)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// waitReady waits until the server answers questions.
func (s *site) waitReady(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if status, _ := s.fetch(t, "/readyz"); status == http.StatusOK {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the server does not get ready")
		}
	}
}

// fetch asks for a page without a browser.
func (s *site) fetch(t *testing.T, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}
