package dashboard_test

import (
	"html"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A linkedRow is a row of a card's table that leads somewhere.
type linkedRow struct{ hrefs, cells []string }

// linked are the rows of a card that lead somewhere.
func (p *site) linked(t *testing.T, path, card string) (rows []linkedRow) {
	t.Helper()
	body, _ := p.get(t, path, http.StatusOK)
	_, body, found := strings.Cut(body, `id="`+card+`"`)
	if !found {
		t.Fatalf("%s has no card %s", path, card)
	}
	body, _, _ = strings.Cut(body, "</figure>")
	_, body, _ = strings.Cut(body, "<tbody>")
	for text := range strings.SplitSeq(body, "</tr>") {
		var row linkedRow
		for _, m := range regexp.MustCompile(`<a href="([^"]+)"`).FindAllStringSubmatch(text, -1) {
			row.hrefs = append(row.hrefs, html.UnescapeString(m[1]))
		}
		for _, cell := range regexp.MustCompile(`<t[hd][^>]*>(.*?)</t[hd]>`).FindAllStringSubmatch(text, -1) {
			row.cells = append(row.cells, regexp.MustCompile(`<[^>]*>`).ReplaceAllString(cell[1], ""))
		}
		if len(row.hrefs) > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// listed is how many pipelines a list has.
func (p *site) listed(t *testing.T, href string) int {
	t.Helper()
	p.get(t, href, http.StatusOK)
	list, _ := p.get(t, strings.Replace(href, "/-/pipelines", "/-/data/pipelines.csv", 1), http.StatusOK)
	return strings.Count(list, "\n") - 1
}

// A bar of a histogram leads to as many pipelines as it counts, a side of a
// beeswarm and of a comparison too.
func (p *site) testBarsLeadToTheirPipelines(t *testing.T) {
	t.Helper()
	job := "/p/" + p.planted.Project + "/-/jobs/" + p.planted.Job + "?restarts=out"
	compare := "/p/" + p.planted.Project + "/-/compare?restarts=out&range=7d"
	for _, c := range []struct {
		path, card string
		least      int
		counts     map[int]int // of which column the number is that a link of the row leads to
	}{
		{job, "job-histogram", 5, map[int]int{0: 2}},
		{job, "job-swarm", 2, map[int]int{0: 1}},
		{compare, "differences", 5, map[int]int{0: 4, 1: 7}},
		{compare, "job-differences", 5, map[int]int{1: 4, 2: 7}},
	} {
		rows := p.linked(t, c.path, c.card)
		if len(rows) < c.least {
			t.Errorf("only %d rows of %s lead somewhere: %v", len(rows), c.card, rows)
		}
		for _, row := range rows {
			for link, column := range c.counts {
				if link >= len(row.hrefs) {
					continue // a side of nothing
				}
				if n, err := strconv.Atoi(row.cells[column]); err != nil || n != p.listed(t, row.hrefs[link]) {
					t.Errorf("%s: %v: %s leads to %d pipelines", c.card, row.cells, row.hrefs[link], p.listed(t, row.hrefs[link]))
				}
			}
		}
	}
}

// What can't be understood of a length is left out, with a notice; what can be
// is said, and can be taken off.
func (p *site) testListsByLength(t *testing.T) {
	t.Helper()
	list := "/p/" + p.planted.Project + "/-/pipelines"
	body, _ := p.get(t, list+"?metric=wall&from_s=60&to_s=1e6&sort=-wall", http.StatusOK)
	if !strings.Contains(body, "Wall time: 1m 00s to 11d 13h") || !strings.Contains(body, `name="from_s" value="60"`) {
		t.Error("the list does not say which lengths it has")
	}
	body, _ = p.get(t, list+"?metric=step:a/b&from_s=soon", http.StatusOK)
	for _, notice := range []string{"metric was left out.", "from_s was left out."} {
		if !strings.Contains(body, notice) {
			t.Errorf("there is no notice %q", notice)
		}
	}
}

// card is a card of a page, as text without tags.
func (p *site) card(t *testing.T, path, card string) string {
	t.Helper()
	body, _ := p.get(t, path, http.StatusOK)
	_, body, found := strings.Cut(body, `id="`+card+`"`)
	if !found {
		t.Fatalf("%s has no card %s", path, card)
	}
	body, _, _ = strings.Cut(body, "</figure>")
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, ""))
}

// Where nothing got lastingly slower, what changed since the time before is
// shown, and whether it may be chance; where there is too little, that is said.
func (p *site) testWhatChanged(t *testing.T) {
	t.Helper()
	const calm = "/p/acme/orders-api"
	for query, want := range map[string]string{
		"?range=7d": "did not get lastingly slower. This is against 12 Nov to 18 Nov. Mean wall time ",
		"?from=2026-11-24T10:00:00Z&to=2026-11-24T16:00:00Z&vs=2026-11-23T10:00:00Z..2026-11-23T12:00:00Z": "Too few to tell what changed: ",
		"?from=2026-11-24T10:00:00Z&to=2026-11-24T16:00:00Z&vs=2026-01-01..2026-01-02":                     "there is nothing to compare",
		"?range=7d&vs=none": "there is no other time to compare it with",
	} {
		if text := p.card(t, calm+query, "what-slowed"); !strings.Contains(text, want) {
			t.Errorf("%s says %s, want %q", query, text, want)
		}
	}
	if text := p.card(t, calm+"?range=7d", "what-slowed"); !strings.Contains(text, "with 95 % confidence between") || !strings.Contains(text, "that may be chance") {
		t.Errorf("nothing was planted in this project, and its card does not say that it may be chance: %s", text)
	}
	if text := p.card(t, "/p/"+p.planted.Project+"/-/compare?range=7d", "what-changed"); strings.Contains(text, "that may be chance") {
		t.Errorf("what was planted may be chance: %s", text)
	}
	rows := p.linked(t, calm+"?range=7d", "what-slowed")
	if len(rows) < 5 {
		t.Errorf("only %d parts lead somewhere", len(rows))
	}
}
