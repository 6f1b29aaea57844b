package dashboard

import (
	"context"
	"math"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

func (d *Dashboard) outcomes(ctx context.Context, v *view) (*analytics.OutcomesAnswer, error) {
	return once(v, "outcomes", func() (*analytics.OutcomesAnswer, error) { return d.Analytics.Outcomes(ctx, v.filter) })
}

// outcomesCard counts how pipelines ended.
func (d *Dashboard) outcomesCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Outcomes", Question: "How reliable is it, and how often do we restart?", Define: "success-rate", Legend: outcomeSigns()}
	a, err := d.outcomes(ctx, v)
	if err != nil {
		return c, err
	}
	picture := chart.Stack{
		ID: "outcomes", Height: 224, Unit: chart.Count, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone,
		Keys: []string{"passed", "restarted", "failed", "canceled"}, XTicks: 4,
	}
	c.Table = Table{Columns: []Column{{"From", "start", false}, {"Passed", "passed", true}, {"Restarted", "restarted", true}, {"Failed", "failed", true}, {"Canceled", "canceled", true}}}
	for _, b := range a.Buckets {
		from, to := time.Time(b.Start), time.Time(b.End)
		counts := []int64{b.Passed, b.Restarted, b.Failed, b.Canceled}
		r := Row{From: stamp(from), To: stamp(to), Cells: []Cell{bucketCell(from, to, v.filter.Zone, b.IsRunning)}}
		if b.Count > 0 {
			r.Href = v.between(from, to)
		}
		bar := chart.Bar{From: from, To: to, Open: b.IsRunning}
		for _, n := range counts {
			bar.Values = append(bar.Values, float64(n))
			r.Cells = append(r.Cells, countCell(n))
		}
		picture.Bars = append(picture.Bars, bar)
		c.Table.Rows = append(c.Table.Rows, r)
	}
	if a.Summary.Count == 0 {
		c.Empty = d.nothing(ctx, v)
		return c, nil
	}
	var notes []string
	picture.Gaps, notes = d.gaps(ctx, v)
	c.Note = noted(notes)
	c.Desc = picture.Describe([]string{"passed", "restarted", "failed", "canceled"})
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

// outcomeTiles are success and restarts in the window.
func (d *Dashboard) outcomeTiles(ctx context.Context, v *view) []Tile {
	a, err := d.outcomes(ctx, v)
	if err != nil {
		return nil
	}
	success, restarted := make([]float64, len(a.Buckets)), make([]float64, len(a.Buckets))
	for i := range a.Buckets {
		o := &a.Buckets[i].Outcomes
		success[i], restarted[i] = math.NaN(), restartRate(o)
		if o.SuccessRate != nil {
			success[i] = *o.SuccessRate
		}
	}
	s, few := &a.Summary, a.Summary.Passed+a.Summary.Restarted+a.Summary.Failed < fewest
	good := Tile{
		Label: "Success rate", Href: "#outcomes", Big: shareWords(s.SuccessRate), Few: few,
		Pairs: []hidden{{"first try", shareWords(s.FirstTryRate)}, {"of", chart.Count.String(float64(s.Count))}}, Spark: chart.Spark(success, 0),
	}
	again := Tile{
		Label: "Restarted", Href: v.href("pipelines", "restarts", analytics.RestartsOnly), Big: rateWords(restartRate(s)), Few: few,
		Pairs: []hidden{{"pipelines", chart.Count.String(float64(s.Restarted))}}, Spark: chart.Spark(restarted, 0),
	}
	if r, err := d.restarts(ctx, v); err == nil && len(r.Jobs) > 0 {
		again.Pairs = append(again.Pairs, hidden{"most", r.Jobs[0].Job})
	}
	if before := a.Versus; before != nil {
		ended, endedBefore := s.Passed+s.Restarted+s.Failed, before.Passed+before.Restarted+before.Failed
		if s.SuccessRate != nil && before.SuccessRate != nil {
			good.Delta = points(*s.SuccessRate*100, *before.SuccessRate*100, false, analytics.IsRateClear(endedBefore-before.Failed, endedBefore, ended-s.Failed, ended))
		}
		again.Delta = points(restartRate(s)*100, restartRate(before)*100, true, analytics.IsRateClear(before.Restarted, endedBefore, s.Restarted, ended))
	}
	return []Tile{good, again}
}

// restartRate is the part of pipelines that were restarted of those that ended
// by themselves; NaN of none.
func restartRate(o *analytics.Outcomes) float64 {
	ended := o.Passed + o.Restarted + o.Failed
	if ended == 0 {
		return math.NaN()
	}
	return float64(o.Restarted) / float64(ended)
}

func rateWords(rate float64) string {
	if math.IsNaN(rate) {
		return "–"
	}
	return percent(rate)
}
