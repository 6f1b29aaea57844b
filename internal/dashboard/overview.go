package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"strconv"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxDots is how many single pipelines a chart draws.
const maxDots = 600

// overviewPage is the first page of a project.
func (d *Dashboard) overviewPage(ctx context.Context, v *view) (string, *Page, error) {
	p := &Page{Title: v.project.Name, Tab: "Overview", Sub: v.rangeWords(), Crumbs: []Link{{"Projects", "/"}}}
	b := board{Filters: v.form(ctx, projectHref(v.project.Name), overviewFields)}
	var wg sync.WaitGroup
	wg.Go(func() { b.Findings = d.foundOf(ctx, v) })
	wg.Go(func() { b.Tiles = d.overviewTiles(ctx, v) })
	wg.Go(func() { p.Aside = d.lastPipeline(ctx, v) })
	wg.Go(func() { b.Lead = d.missed(ctx, v) })
	b.Rows = d.fill(ctx, v, p, []string{"wide duration", "what-slowed"}, []string{"time-to-e2e", "where", "outcomes"}, d.milestoneCards(ctx, v), []string{"jobs"}, []string{"wide typical", "queue-by-hour"})
	wg.Wait()
	if a, err := d.outcomes(ctx, v); err == nil {
		p.Sub += " · " + plural(a.Summary.Count, "pipeline")
		if a.Summary.Count == 0 {
			b.Rows, b.Tiles, b.Empty = nil, nil, d.nothing(ctx, v)
		}
	}
	p.ShareTitle, p.Description = d.share(ctx, v, b.Findings)
	p.Data = b
	return "board", p, nil
}

func (d *Dashboard) durationCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{
		id: "duration", title: "Pipeline duration", question: "Did our pipeline get slower?", define: "active", metric: "active",
		height: 452, ticks: 10, labels: true, mark: d.mark(ctx, v),
		dots: func(ctx context.Context) ([]chart.Dot, string, error) { return d.dots(ctx, v) },
	})
}

func (d *Dashboard) timeToE2eCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{id: "time-to-e2e", title: "Time to first e2e job", question: "How long until e2e starts?", define: "time-to-phase", metric: "time_to_e2e", height: 224, ticks: 4})
}

// shownMilestones is how many milestones of a project have a card.
const shownMilestones = 3

// milestoneCards are the names of the cards of the project's milestones.
func (d *Dashboard) milestoneCards(ctx context.Context, v *view) (names []string) {
	s, err := d.settings(ctx, v)
	if err != nil {
		d.Log.WarnContext(ctx, "milestones can't be read", "error", err)
	}
	for i := range s.Milestones[:min(len(s.Milestones), shownMilestones)] {
		names = append(names, "milestone-"+strconv.Itoa(i+1))
	}
	return names
}

// milestoneCard shows when one of the project's milestones was reached.
func (d *Dashboard) milestoneCard(i int) cardMaker {
	return func(ctx context.Context, v *view) (Card, error) {
		s, err := d.settings(ctx, v)
		if err != nil || i >= len(s.Milestones) {
			return Card{}, cmp.Or(err, fmt.Errorf("%w: milestone %d", store.ErrUnknown, i+1))
		}
		m := s.Milestones[i]
		question := "How long until the last of " + m.Phase + " finishes?"
		if m.At == "start" {
			question = "How long until the first of " + m.Phase + " starts?"
		}
		return d.fan(ctx, v, fanCard{id: "milestone-" + strconv.Itoa(i+1), title: m.Name, question: question, define: "milestone", metric: m.Metric(), height: 224, ticks: 4})
	}
}

func (d *Dashboard) e2eCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{id: "e2e", title: "e2e time", question: "How long does e2e take?", define: "phase", metric: "e2e", height: 224, ticks: 4})
}

func (d *Dashboard) queuedCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{id: "queued", title: "Queued", question: "How long does nothing run because no runner is free?", define: "queue", metric: "queue", height: 224, ticks: 4})
}

func (d *Dashboard) allDots(ctx context.Context, v *view) (*analytics.Dots, error) {
	return once(v, "dots", func() (*analytics.Dots, error) { return d.Analytics.Dots(ctx, v.filter, maxDots) })
}

// dots are the single pipelines of a view, and what is to be said of them.
func (d *Dashboard) dots(ctx context.Context, v *view) ([]chart.Dot, string, error) {
	a, err := d.allDots(ctx, v)
	if err != nil {
		return nil, "", err
	}
	all := make([]chart.Dot, len(a.Items))
	for i, p := range a.Items {
		all[i] = chart.Dot{At: time.Time(p.CreatedAt), Value: p.ActiveS, Kind: p.Outcome, ID: p.PipelineID}
	}
	said := ""
	if n := int64(len(all)); n < a.Total {
		said = chart.Count.String(float64(n)) + " of " + plural(a.Total, "pipeline") + " drawn, first those that failed or were restarted."
	}
	return all, said, nil
}

// lastPipeline says how the newest pipeline of the default branch is doing.
func (d *Dashboard) lastPipeline(ctx context.Context, v *view) template.HTML {
	f := v.filter
	f.Results, f.Range = nil, ""
	f.Window = analytics.Window{From: d.Now().AddDate(-1, 0, 0), To: d.Now()}
	a, err := d.Analytics.Pipelines(ctx, f, analytics.Page{Limit: 1})
	if err != nil || len(a.Items) == 0 {
		return ""
	}
	one := &a.Items[0]
	at := timeOf(one.CreatedAt)
	w := &htmlWriter{}
	w.f(`Last pipeline <a href="%s">#%s</a> `, pipelineHref(one.Project, one.PipelineID), strconv.FormatInt(one.PipelineID, 10))
	w.raw(outcomeWord(outcomeOf(one)))
	w.f(` <time datetime="%s" data-ago>%s</time>`, stamp(at), timeCell(at, v.filter.Zone).Text)
	return w.html()
}

// share is what is shown of the page where somebody shares its address.
func (d *Dashboard) share(ctx context.Context, v *view, all []found) (title, description string) {
	a, err := d.stats(ctx, v, "active")
	if err != nil {
		return "", ""
	}
	p50, ok := a.Summary.Percentiles.At(.5)
	if !ok || a.Summary.Count == 0 {
		return "", ""
	}
	title = v.project.Name + ": p50 " + chart.Duration(p50)
	if a.Versus != nil {
		if before, ok := a.Versus.Summary.Percentiles.At(.5); ok {
			title += " (" + ratio(p50, before, true).Text + ")"
		}
	}
	description = plural(a.Summary.Count, "pipeline") + ", " + v.rangeWords() + "."
	if len(all) > 0 {
		description = string(all[0].Lead) + ". " + description
	}
	return title, description
}

// overviewTiles are the figures at a glance: how long, and how well.
func (d *Dashboard) overviewTiles(ctx context.Context, v *view) (all []Tile) {
	mark := d.mark(ctx, v)
	for _, t := range []struct{ label, href, metric string }{
		{"Pipeline duration", "#duration", "active"}, {"Time to first e2e job", "#time-to-e2e", "time_to_e2e"}, {"e2e time", "#time-to-e2e", "e2e"}, {"Queued", "#queue-by-hour", "queue"},
	} {
		if a, err := d.stats(ctx, v, t.metric); err == nil {
			all = append(all, statsTile(t.label, t.href, a, markIndex(mark, a)))
		}
	}
	return append(all, d.outcomeTiles(ctx, v)...)
}
