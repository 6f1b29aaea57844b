package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// doraPage answers how often and how well is deployed.
func (d *Dashboard) doraPage(ctx context.Context, v *view) (string, *Page, error) {
	p := &Page{Title: "DORA", Tab: "DORA", Sub: v.rangeWords(), Crumbs: v.crumbs()}
	b := board{Filters: v.form(ctx, v.base()+"/dora", byRange|byTrigger)}
	b.Filters.CSV = csvHref(v.dataHref("counted-from"))
	p.Data = &b
	a, err := d.delivery(ctx, v)
	if err != nil {
		return "", nil, err
	}
	if len(a.Environments) == 0 {
		b.Empty = &Empty{Text: "No job of this time has an environment, so there is no deployment to count. In GitLab, a job that deploys says environment:; GitHub tells of deployments by itself.", Links: []Link{{"A longer time", v.href("dora", "range", "1y")}}}
		return "board", p, nil
	}
	p.Sub = v.rangeWords() + " · " + a.Sentence
	b.Lead = v.environments(&a)
	b.Tiles = doraTiles(&a)
	b.Rows = d.fill(ctx, v, p, []string{"deployments", "lead-time"}, []string{"failures", "recovery"}, []string{"counted-from"})
	return "board", p, nil
}

func (d *Dashboard) delivery(ctx context.Context, v *view) (analytics.DORA, error) {
	return once(v, "dora", func() (analytics.DORA, error) {
		return d.Analytics.DORA(ctx, v.filter, v.query["environment"]...)
	})
}

// environments are links that count one environment, or the usual ones.
func (v *view) environments(a *analytics.DORA) template.HTML {
	w := &htmlWriter{}
	w.f(`<ul class="chips" aria-label="Environments">`)
	for _, e := range a.Environments {
		mark, here := "", ""
		if e.IsCounted {
			mark, here = "✓ ", "counted: "
		}
		w.f(`<li><a class="chip" href="%s"><b>%s%s</b><span class="vh">%s</span>%s</a></li>`, v.href("dora", "environment", e.Environment), mark, e.Environment, here, chart.Count.String(float64(e.Deployments)))
	}
	if v.query.Has("environment") {
		w.f(`<li><a class="chip" href="%s">as usual</a></li>`, v.href("dora"))
	}
	w.f(`</ul>`)
	return w.html()
}

func doraTiles(a *analytics.DORA) []Tile {
	tiles := []Tile{{Label: "Deployments a day", Href: "#deployments", Big: chart.Count.String(round1(a.PerDay)), Pairs: []hidden{{"band", frequencyBand(a.PerDay)}, {"succeeded", strconv.Itoa(a.Succeeded)}}}}
	lead := Tile{Label: "Lead time for changes", Href: "#lead-time", Big: "–"}
	if a.LeadTime != nil {
		lead.Big, lead.Unit = chart.Duration(a.LeadTime.P50S), "p50"
		lead.Pairs = []hidden{{"band", band(a.LeadTime.P50S, 86400, 7*86400, 30*86400)}, {"p95", chart.Duration(a.LeadTime.P95S)}}
	}
	fails := Tile{Label: "Change failure rate", Href: "#failures", Big: percent(a.FailureRate), Pairs: []hidden{{"band", band(a.FailureRate, 0.05, 0.10, 0.15)}, {"95 %", fmt.Sprintf("%.0f–%.0f %%", a.FailureInterval.Low*100, a.FailureInterval.High*100)}, {"failed", strconv.Itoa(a.Failed)}}}
	recovery := Tile{Label: "Time to recover", Href: "#recovery", Big: "–", Pairs: []hidden{{"not repaired yet", strconv.Itoa(a.Unrepaired)}}}
	if a.Recovery != nil {
		recovery.Big, recovery.Unit = chart.Duration(a.Recovery.P50S), "p50"
		recovery.Pairs = append([]hidden{{"band", band(a.Recovery.P50S, 3600, 86400, 7*86400)}}, recovery.Pairs...)
	}
	rework := Tile{Label: "Rework", Href: "#counted-from", Big: percent(a.ReworkRate), Pairs: []hidden{{"deployments", strconv.Itoa(a.Reworked)}}}
	return append(tiles, lead, fails, recovery, rework)
}

func round1(f float64) float64 { return float64(int64(f*10+.5)) / 10 }

// frequencyBand is the band of a number of deployments, of which more is better.
func frequencyBand(perDay float64) string { return band(-perDay, -1, -1.0/7, -1.0/30) }

// band is one of the four of the DORA report of 2023, by the highest figure of
// each: a lead time of a day, a week and a month, a recovery of an hour, a day
// and a week, a failure rate of 5, 10 and 15 %.
func band(figure, elite, high, medium float64) string {
	switch {
	case figure <= elite:
		return "elite"
	case figure <= high:
		return "high"
	case figure <= medium:
		return "medium"
	}
	return "low"
}

// weeks draws one number a week, in parts; a value is NaN where there is none.
func (d *Dashboard) weeks(ctx context.Context, v *view, c Card, keys []Sign, classes, fields []string, unit chart.Unit, values func(analytics.DORAWeek) []float64) (Card, error) {
	a, err := d.delivery(ctx, v)
	if err != nil {
		return c, err
	}
	c.Define, c.Legend = "dora", keys
	picture := chart.Stack{ID: c.ID, Height: 224, Unit: unit, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone, Keys: classes, XTicks: 4}
	c.Table = Table{Columns: []Column{{"Week", "start", false}}}
	for i, f := range fields {
		c.Table.Columns = append(c.Table.Columns, Column{keys[i].Name, f, true})
	}
	any := false
	for _, week := range a.Weeks {
		from, to := time.Time(week.Start), time.Time(week.End)
		all := values(week)
		r := Row{From: stamp(from), To: stamp(to), Cells: []Cell{bucketCell(from, to, v.filter.Zone, to.After(d.Now()))}}
		for i, f := range all {
			if math.IsNaN(f) {
				all[i], r.Cells = 0, append(r.Cells, Cell{"–", nil})
				continue
			}
			any = any || f > 0
			r.Cells = append(r.Cells, Cell{unit.String(f), f})
		}
		picture.Bars = append(picture.Bars, chart.Bar{From: from, To: to, Values: all, Open: to.After(d.Now())})
		r.Href = v.between(from, to, "ref", analytics.AnyRef)
		c.Table.Rows = append(c.Table.Rows, r)
	}
	if !any {
		c.Empty = &Empty{Text: "There is nothing to count in this time."}
		return c, nil
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	c.Desc = picture.Describe(names)
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

func (d *Dashboard) deploymentsCard(ctx context.Context, v *view) (Card, error) {
	return d.weeks(ctx, v, Card{ID: "deployments", Title: "Deployments", Question: "How often do we deploy?"},
		[]Sign{sign("", "k-passed", "succeeded"), sign("", "k-failed", "failed")}, []string{"passed", "failed"}, []string{"succeeded", "failed"}, chart.Count,
		func(w analytics.DORAWeek) []float64 { return []float64{float64(w.Succeeded), float64(w.Failed)} })
}

func (d *Dashboard) leadTimeCard(ctx context.Context, v *view) (Card, error) {
	return d.weeks(ctx, v, Card{ID: "lead-time", Title: "Lead time", Question: "How long from a commit to its deployment?"},
		[]Sign{sign("", "k-c2", "p50")}, []string{"c2"}, []string{"lead_time_p50_s"}, chart.Seconds,
		func(w analytics.DORAWeek) []float64 { return []float64{p50(w.LeadTime)} })
}

func (d *Dashboard) recoveryCard(ctx context.Context, v *view) (Card, error) {
	return d.weeks(ctx, v, Card{ID: "recovery", Title: "Time to recover", Question: "How long from a failed deployment to the next that succeeds?"},
		[]Sign{sign("", "k-c2", "p50")}, []string{"c2"}, []string{"recovery_time_p50_s"}, chart.Seconds,
		func(w analytics.DORAWeek) []float64 { return []float64{p50(w.Recovery)} })
}

// p50 of what may not be known is NaN then.
func p50(p *analytics.Spread) float64 {
	if p == nil {
		return math.NaN()
	}
	return p.P50S
}

func (d *Dashboard) failuresCard(ctx context.Context, v *view) (Card, error) {
	return d.weeks(ctx, v, Card{ID: "failures", Title: "Change failure rate", Question: "How many deployments fail?"},
		[]Sign{sign("", "k-failed", "failed")}, []string{"failed"}, []string{"change_failure_percent"}, chart.Percent,
		func(w analytics.DORAWeek) []float64 {
			if w.Deployments == 0 {
				return []float64{math.NaN()}
			}
			return []float64{w.FailureRate * 100}
		})
}

const shownDeployments = 50

// countedFromCard lists what the figures were counted from.
func (d *Dashboard) countedFromCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Counted from", Question: "Which deployments are in these figures?", Define: "dora", TableShown: true}
	a, err := d.delivery(ctx, v)
	if err != nil {
		return c, err
	}
	c.Table = Table{Columns: []Column{
		{"Pipeline", "pipeline_id", false},
		{"Project", "project", false},
		{"Outcome", "failed", false},
		{"Finished", "finished_at", true},
		{"Lead time", "lead_time_s", true},
		{"Ended a failure of", "recovery_s", true},
		{"Rework", "reworked", false},
		{"Job", "job", false},
		{"Environment", "environment", false},
	}}
	for i := range a.CountedFrom {
		one := &a.CountedFrom[i]
		c.Table.Rows = append(c.Table.Rows, Row{Href: pipelineHref(one.Project, one.PipelineID), Cells: []Cell{
			{fmt.Sprintf("#%d", one.PipelineID), one.PipelineID},
			textCell(one.Project),
			{map[bool]string{true: "failed", false: "succeeded"}[one.Failed], one.Failed},
			timeCell(time.Time(one.FinishedAt), v.filter.Zone), secondsCell(one.LeadTimeS), secondsCell(one.RecoveryS),
			{map[bool]string{true: "yes"}[one.Reworked], one.Reworked},
			textCell(one.Job), textCell(one.Environment),
		}})
	}
	if len(c.Table.Rows) == 0 {
		c.Empty = &Empty{Text: "Nothing was deployed to these environments in this time."}
		return c, nil
	}
	few := c
	if n := len(c.Table.Rows); n > shownDeployments {
		few.Table.Rows = c.Table.Rows[:shownDeployments]
		c.Note = template.HTML(fmt.Sprintf("The latest %d of %d; CSV has all.", shownDeployments, n)) //nolint:gosec // numbers alone
	}
	c.Body = shown(&few, v.project.Name == "")
	if a.Truncated {
		c.Note = template.HTML(template.HTMLEscapeString("Only the first 50,000 were looked at. " + strings.TrimSpace(string(c.Note)))) //nolint:gosec // escaped
	}
	return c, nil
}
