package dashboard

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// home is the projects; where there are none, how to send the first report.
func (d *Dashboard) home(w http.ResponseWriter, r *http.Request) error {
	if err := d.Allow(r, store.ScopeRead); err != nil {
		return err
	}
	all, err := d.Store.Projects(r.Context(), "", 1)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return d.setup(w, r)
	}
	v, err := d.newView(r, "")
	if err != nil {
		return err
	}
	return d.cached(w, r, v, func(ctx context.Context) (string, *Page, error) { return d.projectsPage(ctx, v) })
}

// maxShownFindings is how many findings are above the projects.
const maxShownFindings = 3

// projectsPage answers which pipelines need somebody.
func (d *Dashboard) projectsPage(ctx context.Context, v *view) (string, *Page, error) {
	p := &Page{Title: "Projects", Tab: "Projects", Sub: v.rangeWords() + " · the default branches"}
	b := board{Filters: v.form(ctx, "/", byRange|byWorkflow|byTrigger|byRestarts|byVersus)}
	b.Filters.CSV = csvHref(v.dataHref("projects"))
	p.Data = &b
	var wg sync.WaitGroup
	wg.Go(func() {
		if a, err := d.projects(ctx, v); err == nil {
			b.Tiles = d.projectTiles(ctx, v, a)
		}
	})
	wg.Go(func() {
		all := d.foundOf(ctx, v)
		b.Findings = all[:min(len(all), maxShownFindings)]
	})
	b.Rows = d.fill(ctx, v, p, []string{"projects"})
	wg.Wait()
	return "board", p, nil
}

func (d *Dashboard) projects(ctx context.Context, v *view) (*analytics.OverviewAnswer, error) {
	return once(v, "projects", func() (*analytics.OverviewAnswer, error) { return d.Analytics.Projects(ctx, v.filter) })
}

func (d *Dashboard) projectTiles(ctx context.Context, v *view, a *analytics.OverviewAnswer) []Tile {
	var pipelines int64
	active, red := 0, 0
	for i := range a.Items {
		pipelines += a.Items[i].Count
		if a.Items[i].Count > 0 {
			active++
		}
		if last := lastEnded(a.Items[i].Last); last != nil && last.Outcome == analytics.Failed {
			red++
		}
	}
	tiles := []Tile{
		{Label: "Pipelines", Href: v.href("pipelines"), Big: chart.Count.String(float64(pipelines)), Pairs: []hidden{{"projects", fmt.Sprintf("%d of %d", active, len(a.Items))}}},
		{Label: "Default branches that fail", Href: "#projects", Big: strconv.Itoa(red), Pairs: []hidden{{"as of", "the last pipeline"}}},
	}
	if found, err := d.findings(ctx, v); err == nil {
		tiles = append(tiles, Tile{Label: "Slower than before", Href: "#projects", Big: strconv.Itoa(len(found.Items))})
	}
	if s, err := d.outcomes(ctx, v); err == nil {
		tiles = append(tiles, Tile{Label: "Success rate", Href: "#projects", Big: shareWords(s.Summary.SuccessRate), Pairs: []hidden{{"first try", shareWords(s.Summary.FirstTryRate)}}})
	}
	return tiles
}

// lastEnded is the newest pipeline of a strip that has ended.
func lastEnded(all []analytics.StripMark) *analytics.StripMark {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Outcome != analytics.Unfinished {
			return &all[i]
		}
	}
	return nil
}

// projectsCard has a row for each project, the worst first.
func (d *Dashboard) projectsCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Which projects need attention?", Question: "What got slower comes first, by how much and how often it runs", Define: "active", TableShown: true}
	a, err := d.projects(ctx, v)
	if err != nil {
		return c, err
	}
	search := strings.ToLower(strings.TrimSpace(v.query.Get("q")))
	c.Table = tableOf(a.Table())
	w := &htmlWriter{}
	w.f(`<div class="scroll" tabindex="0" role="region" aria-label="Table of projects"><table class="list"><thead><tr><th scope="col">Project</th><th scope="col">Last pipelines</th><th scope="col" class="r">p50</th><th scope="col" class="r">p95</th>` +
		`<th scope="col" class="r">Change of p50</th><th scope="col" class="r">To e2e</th><th scope="col" class="r">Success</th><th scope="col" class="r">Restarted</th><th scope="col" class="r">Queue</th><th scope="col" class="r">Pipelines</th><th scope="col" class="r">Last</th></tr></thead><tbody>`)
	n := 0
	for i := range a.Items {
		if search == "" || strings.Contains(strings.ToLower(a.Items[i].Project), search) {
			v.projectRow(w, &a.Items[i])
			n++
		}
	}
	w.f(`</tbody></table></div>`)
	if n == 0 {
		c.Empty = &Empty{Text: "No project has " + v.query.Get("q") + " in its name.", Links: []Link{{"All projects", "/"}}}
		return c, nil
	}
	if a.IsTruncated {
		c.Note = "There are more than 500 projects: these are the first by name."
	}
	c.Body = w.html()
	return c, nil
}

func (v *view) projectRow(w *htmlWriter, p *analytics.ProjectRow) {
	href := projectHref(p.Project) + (&view{project: store.Project{Name: p.Project}, zone: v.zone}).link(v.kept())
	w.f(`<tr><th scope="row" title="%s"><a href="%s">%s</a></th><td>`, p.Project, href, p.Project)
	strip := make([]chart.Outcome, len(p.Last))
	for i, m := range p.Last {
		strip[i] = chart.Outcome{Value: math.NaN(), Kind: m.Outcome, Title: fmt.Sprintf("#%d %s, %s", m.PipelineID, m.Outcome, durationWords(m.ActiveS)), Href: pipelineHref(p.Project, m.PipelineID)}
		if m.Outcome == analytics.Unfinished {
			strip[i].Kind = "running"
		}
		if m.ActiveS != nil {
			strip[i].Value = *m.ActiveS
		}
	}
	if len(strip) > 0 {
		w.raw(chart.Strip(strip, 30))
	}
	few := ""
	if p.Active.Count < fewest {
		few = " few"
	}
	p50, ok := p.Active.Percentiles.At(.5)
	p95, _ := p.Active.Percentiles.At(.95)
	if !ok || p.Active.Count == 0 {
		p50, p95 = math.NaN(), math.NaN()
	}
	w.f(`</td><td class="r%s">%s</td><td class="r%s">%s</td><td class="r">`, few, nanCell(p50).Text, few, nanCell(p95).Text)
	if p.VersusP50S != nil {
		if delta := ratio(p50, *p.VersusP50S, p.IsChangeClear); delta.Text != "" {
			w.f(`<span class="delta %s">%s</span>`, delta.Class, delta.Text)
		}
	}
	w.f(`</td><td class="r">%s</td><td class="r">%s</td><td class="r">%s</td><td class="r">%s</td><td class="r dim">%s</td><td class="r">`,
		durationWords(p.TimeToE2eS), shareWords(p.SuccessRate), shareWords(p.RestartRate), shareWords(p.QueueShare), chart.Count.String(float64(p.Count)))
	if n := len(p.Last); n > 0 {
		at := timeOf(p.Last[n-1].CreatedAt)
		w.f(`<time datetime="%s" data-ago>%s</time>`, at.UTC().Format(time.RFC3339), timeCell(at, v.filter.Zone).Text)
	}
	w.f(`</td></tr>`)
}
