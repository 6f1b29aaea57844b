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
	var choose []Link
	if v.project.Name != "" {
		choose = []Link{{"Choose the jobs that deploy", v.base() + "/settings#deployments"}}
	}
	longer := append(choose, Link{"A longer time", v.href("dora", "range", "1y")})
	if len(a.Environments) == 0 {
		b.Empty = &Empty{Text: "No deployment job is known in this time. In GitLab, a job that deploys says environment:; GitHub tells of deployments by itself; any other job is one if the settings of the project say so.", Links: longer}
		return "board", p, nil
	}
	b.Lead = v.environments(&a)
	if a.Deployments == 0 {
		b.Empty = &Empty{Text: "There were deployments in this time, and none of them counts.", Links: longer}
		return "board", p, nil
	}
	p.Sub = v.rangeWords() + " · " + a.Sentence
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
	if v.project.Name != "" {
		w.f(`<li><a class="chip" href="%s">Which deployments count</a></li>`, v.base()+"/settings#deployments")
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

// A weekly card draws numbers of each week, in parts.
type weekly struct {
	id, title, question string
	none                string // what it says where all are zero or none
	unit                chart.Unit
	parts               []weeklyPart
}

// A weeklyPart is one of them; its value is NaN where there is none.
type weeklyPart struct {
	name, class, field string
	value              func(*analytics.DORAWeek) float64
}

func (d *Dashboard) weeks(ctx context.Context, v *view, of *weekly) (Card, error) {
	c := Card{ID: of.id, Title: of.title, Question: of.question, Define: "dora"}
	a, err := d.delivery(ctx, v)
	if err != nil {
		return c, err
	}
	picture := chart.Stack{ID: c.ID, Height: 224, Unit: of.unit, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone, XTicks: 4}
	c.Table = Table{Columns: []Column{{"Week", "start", false}}}
	names := make([]string, len(of.parts))
	for i, p := range of.parts {
		names[i], picture.Keys = p.name, append(picture.Keys, p.class)
		c.Legend = append(c.Legend, sign("", "k-"+p.class, p.name))
		c.Table.Columns = append(c.Table.Columns, Column{p.name, p.field, true})
	}
	any := false
	for w := range a.Weeks {
		from, to := time.Time(a.Weeks[w].Start), time.Time(a.Weeks[w].End)
		isOpen := to.After(d.Now())
		bar := chart.Bar{From: from, To: to, Values: make([]float64, len(of.parts)), Open: isOpen}
		r := Row{From: stamp(from), To: stamp(to), Cells: []Cell{bucketCell(from, to, v.filter.Zone, isOpen)}, Href: v.between(from, to, "ref", analytics.AnyRef)}
		for i, p := range of.parts {
			value := p.value(&a.Weeks[w])
			if math.IsNaN(value) {
				r.Cells = append(r.Cells, Cell{"–", nil})
				continue
			}
			any = any || value > 0
			bar.Values[i] = value
			r.Cells = append(r.Cells, Cell{of.unit.String(value), value})
		}
		picture.Bars, c.Table.Rows = append(picture.Bars, bar), append(c.Table.Rows, r)
	}
	if !any {
		c.Empty = &Empty{Text: of.none}
		return c, nil
	}
	c.Desc = picture.Describe(names)
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

func (d *Dashboard) deploymentsCard(ctx context.Context, v *view) (Card, error) {
	return d.weeks(ctx, v, &weekly{"deployments", "Deployments", "How often do we deploy?", "Nothing was deployed to these environments in this time.", chart.Count, []weeklyPart{
		{"succeeded", "passed", "succeeded", func(w *analytics.DORAWeek) float64 { return float64(w.Succeeded) }},
		{"failed", "failed", "failed", func(w *analytics.DORAWeek) float64 { return float64(w.Failed) }},
	}})
}

func (d *Dashboard) leadTimeCard(ctx context.Context, v *view) (Card, error) {
	return d.weeks(ctx, v, &weekly{"lead-time", "Lead time", "How long from a commit to its deployment?", "No deployment of this time succeeded.", chart.Seconds, []weeklyPart{
		{"p50", "c2", "lead_time_p50_s", func(w *analytics.DORAWeek) float64 { return p50(w.LeadTime) }},
	}})
}

func (d *Dashboard) failuresCard(ctx context.Context, v *view) (Card, error) {
	return d.weeks(ctx, v, &weekly{"failures", "Change failure rate", "How many deployments fail?", "No deployment of this time failed.", chart.Percent, []weeklyPart{
		{"failed", "failed", "change_failure_percent", func(w *analytics.DORAWeek) float64 {
			if w.Deployments == 0 {
				return math.NaN()
			}
			return w.FailureRate * 100
		}},
	}})
}

func (d *Dashboard) recoveryCard(ctx context.Context, v *view) (Card, error) {
	return d.weeks(ctx, v, &weekly{"recovery", "Time to recover", "How long from a failed deployment to the next that succeeds?", "No failed deployment was followed by one that succeeded in this time.", chart.Seconds, []weeklyPart{
		{"p50", "c2", "recovery_time_p50_s", func(w *analytics.DORAWeek) float64 { return p50(w.Recovery) }},
	}})
}

// p50 is NaN of what is not known.
func p50(s *analytics.Spread) float64 {
	if s == nil {
		return math.NaN()
	}
	return s.P50S
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
