package dashboard

import (
	"context"
	"fmt"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// noValues says why a card has none, and leads to pipelines that did not pass:
// durations are of those that did.
func (v *view) noValues(text string) *Empty {
	e := &Empty{Text: text}
	if len(v.filter.Results) == 0 {
		e.Links = []Link{{"Those that failed", v.href("pipelines", "result", "failure")}}
	}
	return e
}

// without are links that leave out one filter each, where there are pipelines
// then, and how many.
func (d *Dashboard) without(ctx context.Context, v *view) (all []Link) {
	if v.query.Has("metric") || v.query.Get("q") != "" {
		return nil // of these the filter knows nothing
	}
	for _, name := range []string{"workflow", "trigger", "restarts", "state", "result", "stage", "job", "runner", "tag", "reason"} {
		values := v.filter.Query()[name]
		if len(values) == 0 {
			continue
		}
		q := v.filter.With(name)
		f, err := analytics.ParseFilter(q, d.Now())
		if err != nil {
			continue
		}
		if a, err := d.Analytics.Outcomes(ctx, f); err == nil && a.Summary.Count > 0 {
			all = append(all, Link{fmt.Sprintf("Without %s: %s (%s)", name, strings.Join(values, " or "), plural(a.Summary.Count, "pipeline")), v.base() + "/pipelines" + v.link(q)})
		}
	}
	return all
}

// nothing says why there are no pipelines, and what may help.
func (d *Dashboard) nothing(ctx context.Context, v *view) *Empty {
	e := &Empty{Text: "There are no pipelines of " + v.refWords() + " from " + v.rangeWords() + "."}
	if len(v.filter.Workflows)+len(v.filter.Triggers)+len(v.filter.States)+len(v.filter.Results)+len(v.filter.Jobs)+len(v.filter.Stages)+len(v.filter.Runners)+len(v.filter.Tags)+len(v.filter.Reasons) > 0 ||
		v.filter.Restarts != analytics.RestartsIn || v.query.Get("q") != "" || v.query.Has("metric") {
		e.Text = "The filters leave no pipelines of " + v.refWords() + " from " + v.rangeWords() + "."
		e.Links = append(d.without(ctx, v), Link{"Without filters", v.base() + "/pipelines"})
	}
	if len(v.filter.Refs) == 0 || v.filter.Refs[0] != analytics.AnyRef {
		e.Links = append(e.Links, Link{"All branches", v.href("pipelines", "ref", analytics.AnyRef)})
	}
	if v.project.Name == "" {
		return e
	}
	last, err := d.Store.Pipelines(ctx, v.project.ID, nil, 1)
	if err != nil || len(last) == 0 {
		return e
	}
	switch at := last[0].CreatedAt; {
	case at.IsZero():
		e.Text += " Nobody said when those of the project were created, so they are in no time."
	case at.Before(v.filter.Window.From):
		e.Text += " The last one of the project was on " + at.In(v.filter.Zone).Format("Mon 2 Jan 2006") + "."
		e.Links = append(e.Links, Link{"Show that time", v.href("pipelines", "from", stamp(at.AddDate(0, 0, -30)), "to", stamp(at.AddDate(0, 0, 1)))})
	}
	return e
}
