package dashboard

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// whatSlowedCard splits the slow-down that was found over the jobs, and shows
// the attempts of the one that did most.
func (d *Dashboard) whatSlowedCard(ctx context.Context, v *view) (Card, error) {
	c := Card{ID: "what-slowed", Title: "What changed", Question: "Which job did it?", Define: "attribution"}
	news, err := d.news(ctx, v)
	if err != nil {
		return c, err
	}
	var worst *analytics.Regression
	for i := range news.changes.Items { // only those of the wall time are attributed
		if r := news.changes.Items[i].Slowdown(); r != nil && r.Attribution != nil {
			worst = r
		}
	}
	c.Links = []Link{{"Compare", v.href("compare")}}
	if worst == nil {
		return c, d.sinceBefore(ctx, v, &c)
	}
	if bars := attributed(&c, v, worst.Attribution, v.href("compare")); bars > 0 {
		d.addSwarm(ctx, v, &c, bars, said(worst.Attribution.Parts[0].Job), time.Time(worst.SinceAt))
	}
	return c, nil
}

// sinceBefore fills the card of a time in which nothing got lastingly slower
// with what is different from the time before.
func (d *Dashboard) sinceBefore(ctx context.Context, v *view, c *Card) error {
	if v.filter.Versus.IsZero() {
		c.Empty = &Empty{Text: "The pipeline as a whole did not get lastingly slower in this time, and there is no other time to compare it with.", Links: []Link{{"Compare with the period before", projectHref(v.project.Name) + v.link(v.filter.With("vs"))}}}
		return nil
	}
	base := v.filter
	base.Window = v.filter.Versus
	a, err := d.Analytics.Attribution(ctx, base, v.filter)
	if err != nil {
		return err
	}
	if a == nil || a.Interval == nil {
		c.Empty = tooFew(a)
		return nil
	}
	attributed(c, v, a, v.href("compare"))
	before := v.filter.Versus
	w := &htmlWriter{}
	w.f(`The pipeline as a whole did not get lastingly slower. This is against %s to %s. `, before.From.In(v.filter.Zone).Format("2 Jan"), before.To.Add(-time.Millisecond).In(v.filter.Zone).Format("2 Jan"))
	c.Note = w.html() + c.Note
	return nil
}

// tooFew says that there are not enough pipelines on both sides to compare.
func tooFew(a *analytics.Attribution) *Empty {
	if a == nil {
		return &Empty{Text: "In this time or the one before, there is no pipeline that passed and says when its jobs ran: there is nothing to compare."}
	}
	return &Empty{Text: fmt.Sprintf("Too few to tell what changed: %s that passed, and %d in the time before.", plural(a.PipelinesAfter, "pipeline"), a.PipelinesBefore)}
}

// addSwarm adds the attempts of a job, before and after, under so many bars.
func (d *Dashboard) addSwarm(ctx context.Context, v *view, c *Card, bars int, job string, since time.Time) {
	runs, err := d.Analytics.JobRuns(ctx, v.filter, job)
	if job == "" || err != nil {
		return // the bars say most of it
	}
	sides := sidesOf(runs, since)
	if len(sides[0]) == 0 || len(sides[1]) == 0 {
		return
	}
	picture, drawn := v.swarmOf(c.ID, job, since, sides, fewSwarm)
	if bars <= 5 { // there is room for more under them
		picture.Row = 84
	}
	swarm := picture.Plot()
	c.Pipelines = v.pipelinesBase()
	w := &htmlWriter{}
	w.raw(c.Plots[0].HTML())
	w.f(`<h3 class="group"><a href="%s">%s</a>, %s <span>thick line = p50, thin = p95</span></h3>`, v.jobHref(v.project.Name, job), job, strings.ToLower(drawn))
	w.raw(swarm.HTML())
	c.Body = w.html()
	c.Plots = append(c.Plots, swarm)
}

// whatChangedCard splits the change of the mean over the jobs.
func (d *Dashboard) whatChangedCard(ctx context.Context, v *view) (Card, error) {
	c := Card{ID: "what-changed", Title: "What changed", Question: "Which job did it?", Define: "attribution"}
	a, err := d.comparison(ctx, v)
	if err != nil {
		return c, err
	}
	attributed(&c, v, a.Attribution, "#job-differences")
	return c, nil
}

// shownParts is how many parts a picture has; the rest are one.
const shownParts = 8

// attributed fills a card with an attribution, and returns how many bars it has.
// What is not shown by itself leads to the rest.
func attributed(c *Card, v *view, a *analytics.Attribution, rest string) (bars int) {
	if a == nil || len(a.Parts) == 0 {
		c.Empty = &Empty{Text: "There is no critical path on both sides to compare."}
		return 0
	}
	picture := chart.Contrib{ID: c.ID}
	c.Table = Table{Columns: []Column{{"Part", "part", false}, {"Before", "before_s", true}, {"After", "after_s", true}, {"Change", "change_s", true}}}
	others, count, least := 0.0, 0, leastPart(a.Parts)
	for _, s := range a.Parts {
		name, href := partName(s), v.partHref(s)
		if len(picture.Parts) < shownParts && math.Abs(s.ChangeS) >= least {
			picture.Parts = append(picture.Parts, chart.Part{Name: name, Delta: s.ChangeS, Href: href})
		} else {
			others += s.ChangeS
			count++
		}
		c.Table.Rows = append(c.Table.Rows, Row{Href: href, Cells: []Cell{textCell(name), {chart.Duration(s.BeforeS), s.BeforeS}, {chart.Duration(s.AfterS), s.AfterS}, {chart.Signed(chart.Seconds, s.ChangeS), s.ChangeS}}})
	}
	if count > 0 {
		picture.Parts = append(picture.Parts, chart.Part{Name: plural(int64(count), "other part"), Delta: others, Href: rest})
	}
	w := &htmlWriter{}
	w.f(`Mean wall time <b>%s</b>, from %s to %s`, chart.Signed(chart.Seconds, a.TotalS), chart.Duration(a.BeforeS), chart.Duration(a.AfterS))
	if i := a.Interval; i != nil {
		w.f(`, with 95 %% confidence between %s and %s`, chart.Signed(chart.Seconds, i.LowS), chart.Signed(chart.Seconds, i.HighS))
		if i.LowS <= 0 && i.HighS >= 0 {
			w.f(`: <b>that may be chance</b>`)
		}
	}
	w.f(`. The parts add up exactly: time is counted only on each pipeline's critical path.`)
	c.Note = w.html()
	c.Desc = picture.Describe()
	c.Plots = []chart.Plot{picture.Plot()}
	return len(picture.Parts)
}

// partHref is where a part leads: to its job, or to the pipelines of the time
// that had some of it.
func (v *view) partHref(s analytics.Share) string {
	if job := said(s.Job); job != "" {
		return v.jobHref(v.project.Name, job)
	}
	return v.tookHref(v.filter, s.Part, new(.001), nil)
}

// leastPart is the smallest change that a picture shows by itself: beside the
// largest one, less would be a bar of a pixel.
func leastPart(parts []analytics.Share) float64 {
	most := 0.0
	for _, s := range parts {
		most = math.Max(most, math.Abs(s.ChangeS))
	}
	return most / 200
}

// partName names a part of the critical path for people.
func partName(s analytics.Share) string {
	job := said(s.Job)
	switch s.Part {
	case analytics.PartRun:
		return job
	case analytics.PartQueue:
		return job + ", queue"
	case analytics.PartBlocked:
		return "waiting for a person"
	case analytics.PartRetry:
		return "retries"
	}
	return "not known"
}
