package dashboard

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// comparePage puts two times, branches or workflows side by side.
func (d *Dashboard) comparePage(ctx context.Context, v *view) (string, *Page, error) {
	p := &Page{Title: "Compare", Tab: "Compare", Crumbs: v.crumbs()}
	b := board{Filters: v.form(ctx, v.base()+"/compare", byRange|byRef|byWorkflow|byTrigger|byRestarts|byVersus)}
	b.Filters.Fields = append(b.Filters.Fields, v.againstField(ctx))
	b.Filters.CSV = csvHref(v.dataHref("differences"))
	p.Data = &b
	c, err := d.comparison(ctx, v)
	wrong, isField := errors.AsType[*analytics.FieldError](err)
	switch {
	case isField:
		b.Empty = &Empty{Text: wrong.Reason, Links: []Link{{"Compare with the period before", v.href("compare", "vs", "")}}}
		return "board", p, nil
	case err != nil:
		return "", nil, err
	}
	p.Sub = "A: " + v.sideWords(&c.Base) + " · B: " + v.sideWords(&c.Head)
	b.Lead = judgement(c.Comparison)
	b.Rows = d.fill(ctx, v, p, []string{"differences"}, []string{"wide curves", "what-changed"}, []string{"job-differences"})
	return "board", p, nil
}

// A comparison is of A, whose filter is base, and B, which is what the filter
// of the view says.
type comparison struct {
	*analytics.Comparison

	base analytics.Filter
}

func (d *Dashboard) comparison(ctx context.Context, v *view) (comparison, error) {
	return once(v, "compare", func() (comparison, error) {
		base, err := analytics.ParseBase(v.query, v.filter)
		if err != nil {
			return comparison{}, err
		}
		a, err := d.Analytics.Compare(ctx, base, v.filter, "active", .5)
		return comparison{a, base}, err
	})
}

// againstField chooses a branch to compare with.
func (v *view) againstField(ctx context.Context) field {
	choices, err := v.d.choices(ctx, v)
	if err != nil {
		choices = analytics.Choices{}
	}
	options := []option{{Value: "", Name: "The same"}, {Value: analytics.DefaultRef, Name: "Default"}, {Value: analytics.AnyRef, Name: "All"}, {Value: analytics.ChangeRef, Name: "Merge requests"}}
	for _, name := range choices.Refs {
		options = append(options, option{Value: name, Name: name})
	}
	return chosen(field{Label: "A's branch", Name: "vs_ref"}, v.query["vs_ref"], options)
}

// sideWords names a side.
func (v *view) sideWords(s *analytics.Side) string {
	own := view{filter: v.filter}
	own.filter.Window = analytics.Window{From: time.Time(s.From), To: time.Time(s.To)}
	own.filter.Refs = s.Refs
	words := own.refWords() + ", " + own.rangeWords()
	if len(s.Workflows) > 0 {
		words = strings.Join(s.Workflows, ", ") + " of " + words
	}
	return words
}

// judgement says in a sentence whether B is slower.
func judgement(c *analytics.Comparison) template.HTML {
	a := c.Asked
	if a.BaseS == nil || a.HeadS == nil || a.Gain == nil {
		return `<aside class="finding neither"><div><p>One of the two sides has no pipelines that succeeded: there is nothing to compare.</p></div></aside>`
	}
	verb, class := "slower", ""
	if a.Gain.ChangeS < 0 {
		verb, class = "faster", " better"
	}
	switch i := a.Gain.Interval; {
	case i == nil || i.LowS <= 0 && i.HighS >= 0:
		verb, class = "not clearly different", " neither"
	case isLittle(a.Gain.ChangeS, *a.BaseS):
		verb, class = "a little "+verb, " neither"
	}
	w := &htmlWriter{}
	w.f(`<aside class="finding%s" aria-label="Result"><div><p><b>B is %s.</b> The p50 went from %s to <b>%s</b> (%s)`, class, verb, chart.Duration(*a.BaseS), chart.Duration(*a.HeadS), chart.Signed(chart.Seconds, a.Gain.ChangeS))
	if i := a.Gain.Interval; i != nil {
		w.f(`, with 95 %% confidence between %s and %s`, chart.Signed(chart.Seconds, i.LowS), chart.Signed(chart.Seconds, i.HighS))
	}
	w.f(`.</p>`)
	if a.P != nil {
		w.f(`<p class="more">%s (Mann–Whitney). This address is the evidence: Copy link keeps the two times.</p>`, chance(*a.P))
	}
	w.f(`</div></aside>`)
	return w.html()
}

// metricName is what people call a metric.
func metricName(metric string) string {
	if name, ok := map[string]string{"active": "Pipeline duration", "wall": "Wall time", "queue": "Queued"}[metric]; ok {
		return name
	}
	if phase, ok := strings.CutPrefix(metric, "time_to_"); ok {
		return "Time to " + phase
	}
	for kind, words := range map[string]string{"job_run:": "Run of ", "job_queue:": "Queue of ", "end_of:": "Until the end of "} {
		if name, ok := strings.CutPrefix(metric, kind); ok {
			return words + name
		}
	}
	return metric
}

func (d *Dashboard) differencesCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "The figures", Question: "What is longer, and is that more than chance?", Define: "compare", TableShown: true}
	a, err := d.comparison(ctx, v)
	if err != nil {
		return c, err
	}
	c.Table = v.differences("Metric", "metric", a.Metrics, a.base, func(string) string { return "" }, metricName)
	c.Body = shown(&c, true)
	return c, nil
}

func (d *Dashboard) jobDifferencesCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Jobs", Question: "Which jobs differ?", Define: "compare", TableShown: true}
	a, err := d.comparison(ctx, v)
	if err != nil {
		return c, err
	}
	jobs := a.Jobs[:min(len(a.Jobs), 50)]
	c.Table = v.differences("Job", "job", jobs, a.base, func(job string) string { return v.jobHref(v.project.Name, job) }, func(job string) string { return strings.TrimPrefix(job, "job_run:") })
	if len(jobs) == 0 {
		c.Empty = &Empty{Text: "No job has run on both sides."}
		return c, nil
	}
	c.Body = shown(&c, true)
	return c, nil
}

// changeClass is worse or better where the change is more than chance, and no
// little thing.
func changeClass(g *analytics.Gain, base *analytics.Spread) string {
	switch {
	case base == nil || isLittle(g.ChangeS, base.P50S):
		return ""
	case g.Interval.LowS > 0:
		return "worse"
	case g.Interval.HighS < 0:
		return "better"
	}
	return ""
}

// differences is a table of both sides, with what changed first: a telephone
// has no room for more. Each count leads to the pipelines of its side.
func (v *view) differences(head, fieldName string, all []analytics.Difference, base analytics.Filter, href, name func(string) string) Table {
	t := Table{Columns: []Column{
		{head, fieldName, false},
		{"Change of p50", "p50_change_s", true},
		{"95 % interval", "p50_interval_s", true},
		{"p", "p", true},
		{"A: count", "base_count", true},
		{"A: p50", "base_p50_s", true},
		{"A: p95", "base_p95_s", true},
		{"B: count", "head_count", true},
		{"B: p50", "head_p50_s", true},
		{"B: p95", "head_p95_s", true},
	}}
	for _, one := range all {
		label := name(one.Metric)
		r := Row{Cells: []Cell{{label, strings.TrimPrefix(one.Metric, "job_run:")}}, Href: href(label)}
		change, interval, p := Cell{"–", nil}, Cell{"–", nil}, Cell{"–", nil}
		if g := one.P50; g != nil {
			change = Cell{chart.Signed(chart.Seconds, g.ChangeS), g.ChangeS}
			if g.Interval != nil {
				r.Change = changeClass(g, one.Base)
				interval = Cell{chart.Signed(chart.Seconds, g.Interval.LowS) + " to " + chart.Signed(chart.Seconds, g.Interval.HighS), fmt.Sprintf("%.3f..%.3f", g.Interval.LowS, g.Interval.HighS)}
			}
		}
		if one.P != nil {
			p = Cell{strings.TrimPrefix(strings.TrimPrefix(chance(*one.P), "p = "), "p "), *one.P}
		}
		r.Cells = append(r.Cells, change, interval, p)
		for i, s := range []*analytics.Spread{one.Base, one.Head} {
			if s == nil {
				r.Cells = append(r.Cells, countCell(0), Cell{"–", nil}, Cell{"–", nil})
				continue
			}
			metric := one.Metric
			if fieldName == "job" {
				metric = "job_run:" + label
			}
			r.lead(len(r.Cells), v.tookHref([]analytics.Filter{base, v.filter}[i], metric, nil, nil))
			r.Cells = append(r.Cells, countCell(int64(s.Count)), Cell{chart.Duration(s.P50S), s.P50S}, Cell{chart.Duration(s.P95S), s.P95S})
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}
