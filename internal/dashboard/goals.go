package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// settings are what was decided on the view's project.
func (d *Dashboard) settings(ctx context.Context, v *view) (ci.Settings, error) {
	if v.project.Name == "" {
		return ci.Settings{}, nil
	}
	return once(v, "settings", func() (ci.Settings, error) { return d.Store.Settings(ctx, v.project) })
}

// objectives are those of the view's project, judged in the view's time.
func (d *Dashboard) objectives(ctx context.Context, v *view) ([]analytics.Objective, error) {
	s, err := d.settings(ctx, v)
	if err != nil || len(s.Objectives) == 0 {
		return nil, err
	}
	return once(v, "objectives", func() ([]analytics.Objective, error) {
		a, err := d.Analytics.Objectives(ctx, v.filter)
		return a.Items, err
	})
}

// goals are the objectives of one metric as its chart shows them, with what is
// to be said of them.
func (d *Dashboard) goals(ctx context.Context, v *view, metric string, notes []string) ([]chart.Goal, []string) {
	all, err := d.objectives(ctx, v)
	if err != nil {
		d.Log.WarnContext(ctx, "objectives can't be read", "error", err)
	}
	var goals []chart.Goal
	for i := range all {
		o := &all[i]
		if o.Metric != metric {
			continue
		}
		text := percentileWord(o.Percentile) + " ≤ " + chart.Duration(o.MaxS)
		goals = append(goals, chart.Goal{Value: o.MaxS, Text: text, IsMissed: o.IsMissed})
		notes = append(notes, goalSentence(o))
	}
	return goals, notes
}

// goalSentence says whether an objective is met.
func goalSentence(o *analytics.Objective) string {
	wanted := fmt.Sprintf("Objective: %s at most %s", percentileWord(o.Percentile), chart.Duration(o.MaxS))
	switch {
	case o.ValueS == nil:
		return wanted + "."
	case o.IsMissed:
		return fmt.Sprintf("%s; missed: it is %s.", wanted, chart.Duration(*o.ValueS))
	}
	return fmt.Sprintf("%s; it is %s.", wanted, chart.Duration(*o.ValueS))
}

// missed says which objectives the project misses; empty: none.
func (d *Dashboard) missed(ctx context.Context, v *view) template.HTML {
	all, err := d.objectives(ctx, v)
	if err != nil {
		d.Log.WarnContext(ctx, "objectives can't be read", "error", err)
		return ""
	}
	w := &htmlWriter{}
	said := 0
	for i := range all {
		o := &all[i]
		if !o.IsMissed {
			continue
		}
		if said++; said == 1 {
			w.raw(`<ul class="notice missed" aria-label="Objectives that are missed">`)
		}
		w.f(`<li><b>%s: %s is %s</b>, and at most %s is wanted. `, metricWords(o.Metric), percentileWord(o.Percentile), chart.Duration(*o.ValueS), chart.Duration(o.MaxS))
		w.f(`<a href="%s">Which pipelines?</a></li>`, v.href("pipelines", "sort", "-active"))
	}
	if said > 0 {
		w.raw(`</ul>`)
	}
	return w.html()
}

// shownGaps is how many gaps a chart marks at the most.
const shownGaps = 100

// gaps are the times of which pipelines of the view's project are known to be
// missing, with what is to be said of them. What was healed is no gap.
func (d *Dashboard) gaps(ctx context.Context, v *view) (gaps []chart.Gap, notes []string) {
	if v.project.Name == "" {
		return nil, nil
	}
	all, err := once(v, "gaps", func() ([]store.Gap, error) { return d.Store.Gaps(ctx, v.project.Name, shownGaps) })
	if err != nil {
		d.Log.WarnContext(ctx, "gaps can't be read", "error", err)
		return nil, nil
	}
	missing := int64(0)
	for _, g := range all {
		if n := g.Missing - g.Healed; n > 0 && !g.Until.Before(v.filter.Window.From) && g.From.Before(v.filter.Window.To) {
			gaps = append(gaps, chart.Gap{From: g.From, To: g.Until, Missing: n})
			missing += n
		}
	}
	if missing > 0 {
		notes = append(notes, fmt.Sprintf("Shaded: %s of that time %s missing here.", plural(missing, "pipeline"), map[bool]string{true: "is", false: "are"}[missing == 1]))
	}
	return gaps, notes
}

// noted are sentences as a card has them.
func noted(notes []string) template.HTML {
	return template.HTML(template.HTMLEscapeString(strings.Join(slices.DeleteFunc(notes, func(s string) bool { return s == "" }), " "))) //nolint:gosec // escaped
}
