package dashboard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// queuePage answers when and where runners are short.
func (d *Dashboard) queuePage(ctx context.Context, v *view) (string, *Page, error) {
	p := &Page{Title: "Queue", Tab: "Queue", Sub: v.rangeWords() + " · " + v.refWords(), Crumbs: v.crumbs()}
	b := board{Filters: v.form(ctx, v.base()+"/queue", v.fields(overviewFields))}
	b.Filters.CSV = csvHref(v.dataHref("job-waits"))
	if a, err := d.queue(ctx, v); err == nil {
		b.Tiles = d.queueTiles(ctx, v, a)
	}
	b.Rows = d.fill(ctx, v, p, []string{"wide job-waits", "queue-by-hour"}, []string{"wide concurrency", "queue-by-runner"}, []string{"queue-by-tags"})
	p.Data = &b
	return "board", p, nil
}

func (d *Dashboard) queue(ctx context.Context, v *view) (*analytics.QueueAnswer, error) {
	return once(v, "queue", func() (*analytics.QueueAnswer, error) { return d.Analytics.Queue(ctx, v.filter) })
}

func (d *Dashboard) queueTiles(ctx context.Context, v *view, a *analytics.QueueAnswer) []Tile {
	wait := Tile{Label: "A job waits", Href: "#job-waits", Big: "–"}
	if p50, ok := a.Summary.Percentiles.At(.5); ok && a.Summary.Count > 0 {
		wait.Big, wait.Unit = chart.Duration(p50), "p50"
		for _, q := range []struct {
			name string
			f    float64
		}{{"p80", .8}, {"p95", .95}} {
			if s, ok := a.Summary.Percentiles.At(q.f); ok {
				wait.Pairs = append(wait.Pairs, hidden{q.name, chart.Duration(s)})
			}
		}
	}
	tiles := []Tile{wait}
	if s, err := d.stats(ctx, v, "queue"); err == nil {
		tiles = append(tiles, statsTile("A pipeline waits", "#job-waits", s, 0))
	}
	if b, err := d.Analytics.Breakdown(ctx, v.filter); err == nil && b.Summary.WallS != nil && b.Summary.QueueS != nil && *b.Summary.WallS > 0 {
		tiles = append(tiles, Tile{Label: "Of the wall time", Href: "/about/metrics#parts", Big: percent(*b.Summary.QueueS / *b.Summary.WallS), Pairs: []hidden{{"mean", chart.Duration(*b.Summary.QueueS)}, {"of", chart.Duration(*b.Summary.WallS)}}})
	}
	worst, at := 0.0, ""
	for _, h := range a.Hours {
		if s, ok := h.Percentiles.At(.95); ok && h.Count >= fewest && s > worst {
			worst, at = s, weekdays()[h.Weekday-1]+fmt.Sprintf(" %02d:00", h.Hour)
		}
	}
	if at != "" {
		tiles = append(tiles, Tile{Label: "The worst hour", Href: "#queue-by-hour", Big: at, Pairs: []hidden{{"p95", chart.Duration(worst)}}})
	}
	return tiles
}

func weekdays() []string { return []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} }

// jobWaitsCard is how long jobs wait, over time.
func (d *Dashboard) jobWaitsCard(ctx context.Context, v *view) (Card, error) {
	c := Card{
		Title: "Time that jobs wait", Question: "Are runners short?", Define: "queue",
		Legend: []Sign{sign("line", "l-50", "p50"), sign("", "band-80", "p50–p80"), sign("", "band-95", "p80–p95")},
	}
	a, err := d.queue(ctx, v)
	if err != nil {
		return c, err
	}
	s := &analytics.StatsAnswer{Summary: a.Summary}
	for _, b := range a.Buckets {
		s.Buckets = append(s.Buckets, analytics.StatsBucket{Start: b.Start, End: b.End, IsRunning: b.IsRunning, Summary: b.Summary})
	}
	picture := chart.Fan{ID: "job-waits", Height: 280, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone, Labels: true, XTicks: 10, Buckets: bucketsOf(s)}
	c.Table = statsTable(s, v.filter.Zone, func(from, to time.Time) string { return v.between(from, to) })
	if a.Summary.Count == 0 {
		c.Empty = &Empty{Text: "Of no job of this time is known how long it waited."}
		return c, nil
	}
	c.Desc = picture.Describe()
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

// concurrencyCard shows how many runners are in use and were wanted.
func (d *Dashboard) concurrencyCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Jobs at once", Question: "How many runners are in use, and how many were wanted?", Define: "queue", Legend: []Sign{sign("", "k-run", "running"), sign("", "k-waiting", "waiting")}}
	a, err := d.Analytics.Concurrency(ctx, v.filter)
	if err != nil {
		return c, err
	}
	picture := chart.Stack{ID: "concurrency", Height: 240, Unit: chart.Count, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone, Keys: []string{"run", "waiting"}, XTicks: 10}
	c.Table = Table{Columns: []Column{{"From", "start", false}, {"Running, mean", "mean_running", true}, {"at most", "max_running", true}, {"Waiting, mean", "mean_waiting", true}, {"at most", "max_waiting", true}}}
	top := int64(0)
	for _, b := range a.Buckets {
		from, to := time.Time(b.Start), time.Time(b.End)
		picture.Bars = append(picture.Bars, chart.Bar{From: from, To: to, Values: []float64{float64(b.MaxRunning), float64(b.MaxWaiting)}, Open: b.IsRunning})
		top = max(top, b.MaxRunning)
		c.Table.Rows = append(c.Table.Rows, Row{From: stamp(from), To: stamp(to), Href: v.between(from, to), Cells: []Cell{
			bucketCell(from, to, v.filter.Zone, b.IsRunning), {chart.Count.String(round1(b.MeanRunning)), b.MeanRunning}, countCell(b.MaxRunning), {chart.Count.String(round1(b.MeanWaiting)), b.MeanWaiting}, countCell(b.MaxWaiting),
		}})
	}
	if top == 0 {
		c.Empty = &Empty{Text: "Of no job of this time is known when it ran."}
		return c, nil
	}
	c.Note = "The most at once in each slice of time, of the jobs that the filters leave."
	c.Desc = fmt.Sprintf("At most %d jobs ran at once.", top)
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

func (d *Dashboard) queueByRunnerCard(ctx context.Context, v *view) (Card, error) {
	return d.queueGroups(ctx, v, Card{Title: "By runner", Question: "Whose jobs wait?", Define: "queue"}, "Runner", "runner", "runner",
		func(a *analytics.QueueAnswer) []analytics.QueueGroup { return a.ByRunner[:min(len(a.ByRunner), 8)] },
		func(g *analytics.QueueGroup) []string { return []string{said(g.Runner)} })
}

func (d *Dashboard) queueByTagsCard(ctx context.Context, v *view) (Card, error) {
	return d.queueGroups(ctx, v, Card{Title: "By tags of the runner", Question: "Of which kind are more needed?", Define: "queue"}, "Tags", "tags", "tag",
		func(a *analytics.QueueAnswer) []analytics.QueueGroup { return a.ByTags },
		func(g *analytics.QueueGroup) []string { return g.Tags })
}

// queueGroups is a table of groups, which lead to the pipelines with such a
// parameter: with several names, to those that have all.
func (d *Dashboard) queueGroups(ctx context.Context, v *view, c Card, head, fieldName, parameter string, of func(*analytics.QueueAnswer) []analytics.QueueGroup, names func(*analytics.QueueGroup) []string) (Card, error) {
	a, err := d.queue(ctx, v)
	if err != nil {
		return c, err
	}
	c.TableShown = true
	c.Table = Table{Columns: []Column{{head, fieldName, false}, {"Jobs", "count", true}, {"p50", "p50_s", true}, {"p80", "p80_s", true}, {"p95", "p95_s", true}}}
	groups := of(a)
	for i := range groups {
		g := &groups[i]
		r := Row{Cells: []Cell{textCell(strings.Join(names(g), ", ")), countCell(g.Count)}}
		if r.Cells[0].Text == "" {
			r.Cells[0].Text = "not said"
		} else {
			r.Href = v.href("pipelines", parameter, strings.Join(names(g), ","))
		}
		for _, f := range []float64{.5, .8, .95} {
			if s, ok := g.Percentiles.At(f); ok {
				r.Cells = append(r.Cells, Cell{chart.Duration(s), s})
			} else {
				r.Cells = append(r.Cells, Cell{"–", nil})
			}
		}
		c.Table.Rows = append(c.Table.Rows, r)
	}
	if len(c.Table.Rows) == 0 {
		c.Empty = &Empty{Text: "Nobody said which runners there were."}
		return c, nil
	}
	c.Body = shown(&c, true)
	return c, nil
}
