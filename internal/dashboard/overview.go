package dashboard

import (
	"context"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// maxDots is how many single pipelines a chart draws.
const maxDots = 800

// overviewPage is the first page of a project.
func (d *Dashboard) overviewPage(ctx context.Context, v *view) (string, *Page, error) {
	p := &Page{Title: v.project.Name, Tab: "Overview", Sub: v.rangeWords(), Crumbs: []Link{{"Projects", "/"}}}
	b := board{Filters: v.form(ctx, projectHref(v.project.Name), overviewFields)}
	b.Findings = d.foundOf(ctx, v)
	b.Tiles = d.overviewTiles(ctx, v)
	b.Rows = d.fill(ctx, v, p, []string{"duration"}, []string{"time-to-e2e", "e2e", "queued"})
	p.Data = b
	return "board", p, nil
}

func (d *Dashboard) durationCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{
		id: "duration", title: "Pipeline duration", question: "Did our pipeline get slower?", define: "active", metric: "active",
		height: 424, ticks: 10, labels: true, mark: d.mark(ctx, v),
		dots: func(ctx context.Context) ([]chart.Dot, string, error) { return d.dots(ctx, v) },
	})
}

func (d *Dashboard) timeToE2eCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{id: "time-to-e2e", title: "Time to first e2e job", question: "How long until e2e starts?", define: "time-to-phase", metric: "time_to_e2e", height: 224, ticks: 4})
}

func (d *Dashboard) e2eCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{id: "e2e", title: "e2e time", question: "How long does e2e take?", define: "phase", metric: "e2e", height: 224, ticks: 4})
}

func (d *Dashboard) queuedCard(ctx context.Context, v *view) (Card, error) {
	return d.fan(ctx, v, fanCard{id: "queued", title: "Queued", question: "How long does nothing run because no runner is free?", define: "queue", metric: "queue", height: 224, ticks: 4})
}

// dots are the single pipelines of a view, and what is to be said of them.
func (d *Dashboard) dots(ctx context.Context, v *view) ([]chart.Dot, string, error) {
	a, err := once(v, "dots", func() (*analytics.Dots, error) { return d.Analytics.Dots(ctx, v.filter, maxDots) })
	if err != nil {
		return nil, "", err
	}
	all := make([]chart.Dot, len(a.Items))
	for i, p := range a.Items {
		all[i] = chart.Dot{At: time.Time(p.CreatedAt), Value: p.ActiveS, Kind: p.Outcome, ID: p.PipelineID}
	}
	said := ""
	if n := int64(len(all)); n < a.Total {
		said = chart.Count.String(float64(n)) + " of " + plural(a.Total, "pipeline") + " drawn, rather those that failed or were restarted."
	}
	return all, said, nil
}

// overviewTiles are the figures at a glance: how long, and how well.
func (d *Dashboard) overviewTiles(ctx context.Context, v *view) (all []Tile) {
	mark := d.mark(ctx, v)
	for _, t := range []struct{ label, href, metric string }{
		{"Pipeline duration", "#duration", "active"}, {"Time to first e2e job", "#time-to-e2e", "time_to_e2e"}, {"e2e time", "#e2e", "e2e"}, {"Queued", "#queued", "queue"},
	} {
		if a, err := d.stats(ctx, v, t.metric); err == nil {
			all = append(all, statsTile(t.label, t.href, a, markIndex(mark, a)))
		}
	}
	return all
}
