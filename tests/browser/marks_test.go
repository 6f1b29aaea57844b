package browser_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// quiet are the shapes of pictures that need not lead anywhere, and why.
func quiet() map[string]string {
	return map[string]string{
		".ax *, .grid, .base, text":         "axes: they say how to read the marks",
		".legend *, .facts *":               "a legend names the marks",
		".goal *":                           "an objective is of all of the time, and is decided in the settings",
		".gap":                              "pipelines that are known to be missing are not there to be led to",
		".mark":                             "the finding above the picture says since when, and leads to the comparison",
		".hl, .q":                           "the percentiles of the marks beneath them",
		".e0, .e1":                          "under the pieces that lead",
		".hx":                               "an hour of the week in which nothing waited",
		".job .hit, .need, .band-stage":     "what a lane is drawn on; the lane leads",
		"header svg *, .btn svg *, .icon *": "signs of the page itself",
		".finding svg *":                    "the sign beside a sentence",
		"[data-state] svg *":                "a sign of an outcome beside its word",
		"#preview tr":                       "what would be, were the form saved: of nothing that is stored",
	}
}

// gathered is what a page's marks are, and where they lead.
type gathered struct {
	Lost  []string // marks and rows that lead nowhere
	Hrefs []string // of all that do
	Marks int
}

// gather looks at each shape that stands for data, and each row of data: it is in a
// link, or in a picture that keys reach, all of whose rows lead somewhere, or in
// a row or tile that leads somewhere.
const gather = `((quiet) => {
  const lost = [], hrefs = new Set();
  let marks = 0;
  const name = (e) => (e.closest('.card')?.id ?? e.closest('section, aside, main')?.className ?? '') + ': ' + e.outerHTML.slice(0, 140);
  const leads = (e) => {
    const a = e?.getAttribute('href');
    if (!a || a === '#') return false;
    hrefs.add(a);
    return true;
  };
  const silent = (e) => Object.keys(quiet).some((q) => e.closest(q));
  // A row says something where a cell does, but for its name, the end of a range and what is summed up until there.
  const told = (row) => [...row.cells].some((c, i) => i && !/^to$|shorter too$/i.test(row.closest('table').tHead.rows[0].cells[i].textContent) && !/^(|–|0|0s|0 %|0\.0 %|and more)$/.test(c.textContent.trim()));
  for (const row of document.querySelectorAll('.card tbody tr')) {
    const links = [...row.querySelectorAll('a[href]')];
    links.forEach(leads);
    marks++;
    if (!links.length && !silent(row) && told(row)) lost.push(name(row));
  }
  for (const area of document.querySelectorAll('.area')) {
    const table = area.closest('.card')?.querySelector('.tbl tbody');
    const places = area.dataset.hover?.split(' ').filter(Boolean).length ?? (area.dataset.lanes ? area.querySelectorAll('.job').length : 0);
    if (!places) continue;
    if (area.tabIndex !== 0 || !table || table.rows.length < places) lost.push(name(area));
    for (const path of area.querySelectorAll('[data-ids]')) {
      const base = area.closest('.card').dataset.pipelines;
      const dots = path.getAttribute('d').split('M').length - 1, ids = path.dataset.ids.split(' ');
      if (!base || dots !== ids.length) lost.push(name(path));
      else hrefs.add(base + ids[0]);
    }
  }
  for (const mark of document.querySelectorAll('svg :is(path, rect, line, circle, polygon, polyline)')) {
    if (mark.closest('defs') || silent(mark)) continue;
    marks++;
    const area = mark.closest('.area');
    if (leads(mark.closest('a'))) continue;
    if (area && (area.dataset.hover || area.dataset.lanes)) continue; // held above, row by row
    const around = mark.closest('tr, .tile');
    if (around && [...around.querySelectorAll('a[href]')].some(leads)) continue;
    lost.push(name(mark));
  }
  return { Lost: [...new Set(lost)], Hrefs: [...hrefs], Marks: marks };
})`

// Every mark of every picture, and every row of every table, leads to what it is
// made of, and what it leads to is there.
func TestEveryMarkLeads(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, desk)
	exempt, err := json.Marshal(quiet())
	if err != nil {
		t.Fatal(err)
	}
	digits := regexp.MustCompile(`\d+|=[^&]*`)
	tried := map[string]bool{}
	pages := slices.DeleteFunc(s.pages(t), func(path string) bool { return strings.HasPrefix(path, "/api/") })
	pages = append(pages, "/p/acme/orders-api", "/p/acme/orders-api/-/jobs/contract-tests", "/p/acme/shop?range=24h", "/p/acme/shop/-/compare?vs_ref=%40mr", "/p/acme/shop/-/jobs?ref=%40all&range=90d")
	most := 0
	for _, path := range pages {
		p.visit(s.url + path)
		got := value[gathered](p, gather+"("+string(exempt)+")")
		most = max(most, got.Marks)
		for _, mark := range got.Lost {
			t.Errorf("%s: leads nowhere: %s", path, mark)
		}
		for _, href := range got.Hrefs {
			kind := path + digits.ReplaceAllString(href, "") // of each kind, one will do
			if tried[kind] || !strings.HasPrefix(href, "/") {
				continue
			}
			tried[kind] = true
			if status, _ := s.fetch(t, href); status != http.StatusOK {
				t.Errorf("%s: %s is answered %d", path, href, status)
			}
		}
	}
	t.Logf("%d addresses were tried", len(tried))
	if len(tried) < 80 || most < 300 {
		t.Errorf("only %d addresses were tried, and no page has more than %d marks", len(tried), most)
	}
}

// By keys, a bar of a histogram leads to its pipelines; by the pointer, a piece
// of a curve does, and not what else is in its picture.
func TestBarsAndCurvesLead(t *testing.T) {
	t.Parallel()
	s := onDemo(t)
	p := open(t, desk)
	p.visit(s.overview() + "/-/jobs/" + s.planted.Job)
	row := value[int](p, `[...document.querySelectorAll('#job-histogram .tbl tbody tr')].findIndex(r => r.querySelector('a'))`)
	p.run(`document.querySelector('#job-histogram .area').focus()`)
	p.do(chromedp.KeyEvent(kb.Home))
	for range row {
		p.do(chromedp.KeyEvent(kb.ArrowRight))
	}
	p.do(chromedp.KeyEvent(kb.Enter))
	p.wait(`document.querySelector('h1').textContent === 'Pipelines' && document.querySelector('.chips')?.textContent.includes('Run of ` + s.planted.Job + `')`)

	p.visit(s.overview() + "/-/compare")
	at := value[struct {
		X, Y float64
		Href string
	}](p, `(() => {
		const a = [...document.querySelectorAll('#curves a:has(> .hit-line)')].at(-2);
		a.scrollIntoView({block: 'center'});
		const [x, y] = a.firstChild.getAttribute('d').split(/[ML]/).filter(Boolean)[1].split(' ').map(Number);
		const box = document.querySelector('#curves .pl').getBoundingClientRect();
		return {X: box.x + x / 1000 * box.width, Y: box.y + y, Href: a.getAttribute('href')};
	})()`)
	p.do(
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at.X, at.Y, chromedp.ButtonNone),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, at.X, at.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, at.X, at.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)),
	)
	p.wait(`location.pathname + location.search === ` + strconv.Quote(at.Href) + ` && document.querySelector('tbody tr')`)
}
