package browser_test

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// overview is the first page of the project in which a job got slower.
func (s *site) overview() string { return s.url + "/p/" + s.planted.Project }

// From the sentence that says what got slower it is two clicks to the commit.
func TestTwoClicksFromSlowerToTheCommit(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, desk)
	p.visit(s.overview())
	if text := value[string](p, `document.querySelector('.finding').innerText`); !strings.Contains(text, "Slower since") || !strings.Contains(text, s.planted.Job) {
		t.Fatalf("the finding says: %s", text)
	}
	p.do(chromedp.Click(chromedp.CSS(`.finding a[href*="/-/pipelines/"]`)))
	p.wait(`document.querySelector('h1').textContent.startsWith('Pipeline #')`)
	commit := fmt.Sprintf(`document.querySelector('.facts [title=%q] a')`, s.planted.Commit)
	if !value[bool](p, commit+" !== null") {
		t.Fatalf("the pipeline is not of commit %s", s.planted.Commit)
	}
	// While one page fades into the next, the mouse meets neither.
	p.wait(`(box => document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) === ` + commit + `)(` + commit + `.getBoundingClientRect())`)
	p.do(chromedp.Click(chromedp.JSPath(commit)))
	p.wait(`new URL(location).searchParams.get('q') === '` + s.planted.Commit + `' && document.querySelector('table.list tbody code')?.textContent === '` + s.planted.Commit[:8] + `'`)
}

// Who sweeps over a chart sees that time; Back is where one was.
func TestZoomAndBack(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, desk)
	p.visit(s.overview())
	before := value[string](p, `document.querySelector('#duration .pl').innerHTML`)
	box := value[[4]float64](p, `(() => {
		const area = document.querySelector('#duration .area');
		area.scrollIntoView({block: 'center'});
		const {x, y, width, height} = area.getBoundingClientRect();
		return [x, y, width, height];
	})()`)
	from, to, y := box[0]+box[2]*.3, box[0]+box[2]*.6, box[1]+box[3]*.95
	p.do(
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, from, y, chromedp.ButtonNone),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, from, y, chromedp.ButtonLeft, chromedp.ClickCount(1)),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, (from+to)/2, y, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, to, y, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, to, y, chromedp.ButtonLeft, chromedp.ClickCount(1)),
	)
	p.wait(`['from', 'to'].every(k => new URL(location).searchParams.has(k)) && document.readyState === 'complete'`)
	if value[string](p, `document.querySelector('#duration .pl').innerHTML`) == before {
		t.Error("the chart shows what it showed before")
	}
	p.run(`history.back()`)
	p.wait(`location.search === '' && document.readyState === 'complete'`)
	if value[string](p, `document.querySelector('#duration .pl').innerHTML`) != before {
		t.Error("Back does not lead to the chart that was there before")
	}
}

// A dot is one pipeline, and leads to it: also the last of many.
func TestDotLeadsToItsPipeline(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, desk)
	for card, page := range map[string]string{"duration": s.overview(), "job-swarm": s.overview() + "/-/jobs/" + s.planted.Job} {
		p.visit(page)
		at := value[[2]float64](p, `(() => {
			const area = document.querySelector('#`+card+` .area');
			area.scrollIntoView({block: 'center'});
			const [x, y] = [...area.querySelectorAll('path[data-ids]')].at(-1).getAttribute('d').split('M').at(-1).replace('h0', '').split(' ').map(Number);
			const box = area.getBoundingClientRect();
			return [box.x + x / 1000 * box.width, box.y + y];
		})()`)
		p.do(
			chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1], chromedp.ButtonNone),
			chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, at[0], at[1], chromedp.ButtonLeft, chromedp.ClickCount(1)),
			chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, at[0], at[1], chromedp.ButtonLeft, chromedp.ClickCount(1)),
		)
		p.wait(`document.querySelector('h1').textContent.startsWith('Pipeline #')`)
	}
}

// With the arrow keys one hears what is in the table, row by row, of a chart
// over time and of a waterfall.
func TestKeysReadTheTable(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, desk)
	for _, c := range []struct{ card, next, first string }{{"duration", kb.ArrowRight, kb.Home}, {"typical", kb.ArrowDown, kb.Home}} {
		p.visit(s.overview())
		card := "document.querySelector('#" + c.card + "')"
		rows := value[[]string](p, `[...`+card+`.querySelectorAll('.tbl tbody tr')].map(r => [...r.cells].map(c => c.textContent.trim()).join(' | '))`)
		if len(rows) < 5 {
			t.Fatalf("%s has a table of %d rows", c.card, len(rows))
		}
		p.run(card + `.querySelector('.area').focus()`)
		p.do(chromedp.KeyEvent(c.first))
		for i, want := range rows {
			if i > 0 {
				p.do(chromedp.KeyEvent(c.next))
			}
			got := value[string](p, `[document.querySelector('#tip b'), ...document.querySelectorAll('#tip dd')].map(e => e.textContent.trim()).join(' | ')`)
			if got != want || value[bool](p, `document.querySelector('#tip').hidden`) {
				t.Errorf("%s: after %d steps the keys read %q, want %q", c.card, i, got, want)
			}
		}
		if at := value[int](p, `[...document.querySelectorAll('#typical .job')].findIndex(e => e.classList.contains('on'))`); c.card == "typical" && at != len(rows)-1 {
			t.Errorf("lane %d stands out, want the last", at)
		}
		p.do(chromedp.KeyEvent(kb.Escape))
		if !value[bool](p, `document.querySelector('#tip').hidden`) {
			t.Error("Escape does not leave the chart")
		}
	}
}

// A copied link names its time for good, and shows the same to somebody else.
func TestCopiedLink(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, desk)
	p.visit(s.overview() + "?range=7d&ref=%40all")
	p.do(chromedp.Click(chromedp.CSS(`[data-copy]`)))
	p.wait(`document.querySelector('[data-copy]').textContent === 'Copied'`)
	p.run(`document.querySelector('#find').focus()`)
	p.do(call(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Commands: []string{"paste"}}))
	p.wait(`document.querySelector('#find').value !== ''`)
	link := value[string](p, `document.querySelector('#find').value`)
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(link, s.url) || u.Query().Get("from") == "" || u.Query().Get("to") == "" || u.Query().Has("range") || u.Query().Get("ref") != "@all" {
		t.Fatalf("the link is %q", link)
	}
	// The window of a link ends with the minute in which it was made: when that is
	// over, its last bucket is.
	const data = `(document.querySelector('h1').textContent + document.querySelector('#outcomes .tbl tbody').textContent).replace(', so far', '')`
	want := value[string](p, data)
	other := open(t, desk)
	other.visit(link)
	if got := value[string](other, data); got != want {
		t.Errorf("the link shows\n%s\nwant\n%s", got, want)
	}
}

// The colours that somebody chose come with the page: none flash up before.
func TestThemeSurvives(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, desk)
	p.visit(s.overview())
	light := value[string](p, `getComputedStyle(document.body).backgroundColor`)
	p.do(chromedp.Click(chromedp.CSS(`#theme`)))
	p.visit(s.overview())
	if source := value[string](p, `fetch(location.href).then(r => r.text())`); !strings.Contains(source, ` data-theme="dark"`) {
		t.Error("the page does not come in the colours that were chosen")
	}
	if dark := value[string](p, `getComputedStyle(document.body).backgroundColor`); dark == light {
		t.Errorf("the ground is %s as before", dark)
	}
}

// On paper the overview is a report: every card is there, what one clicks on
// is not, and it is light whatever the screen was.
func TestPrint(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, night)
	p.visit(s.overview())
	cards := value[[]string](p, `[...document.querySelectorAll('main h2')].map(h => h.textContent)`)
	paper := ask(p, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize(), chromedp.PDFPrintBackground(), chromedp.PDFOutlineAndTagged()))
	for _, card := range cards {
		if !bytes.Contains(paper, []byte("/Title ("+card+")")) {
			t.Errorf("%q is not in the outline of the report", card)
		}
	}
	if n := len(regexp.MustCompile(`/Type /Page\b`).FindAll(paper, -1)); n < 2 || n > 8 {
		t.Errorf("the report has %d pages", n)
	}
	if !regexp.MustCompile(`/MediaBox \[0 0 84\d(\.\d+)? 59\d`).Match(paper) {
		t.Error("its pages are not A4 on their side")
	}
	p.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}))
	if left := value[[]string](p, `[...document.querySelectorAll('header.top, .btn, .act, .find, .tbl summary')].filter(e => e.checkVisibility()).map(e => e.outerHTML.slice(0, 80))`); len(left) > 0 {
		t.Errorf("paper has what one clicks on: %s", strings.Join(left, "\n"))
	}
	if ground := value[string](p, `getComputedStyle(document.body).backgroundColor`); ground != "rgb(255, 255, 255)" {
		t.Errorf("the paper is %s", ground)
	}
}

// Without JavaScript every page has the same cards and charts, and filters work.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, noScript)
	for _, path := range s.pages(t) {
		p.visit(s.url + path)
		_, source := s.fetch(t, path)
		for mark, selector := range map[string]string{`<svg class="pl"`: "svg.pl", `<figure class="card"`: "figure.card", `class="spark"`: "svg.spark", "<table": "table"} {
			// What is shown, but for tables that are folded away until one asks.
			shown := value[int](p, fmt.Sprintf(`[...document.querySelectorAll(%q)].filter(e => e.closest('details') || e.checkVisibility()).length`, selector))
			if want := strings.Count(source, mark); shown != want {
				t.Errorf("%s shows %d of %d %s", path, shown, want, selector)
			}
		}
	}
	p.visit(s.overview())
	p.run(`document.querySelector('.filters [name=range]').value = '7d'`)
	p.do(chromedp.Click(chromedp.CSS(`.filters button.nojs`)))
	p.wait(`new URL(location).searchParams.get('range') === '7d' && document.querySelector('#duration svg.pl')`)
}
