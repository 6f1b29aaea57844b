package dashboard

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// heatCuts are the seconds at which the next colour begins: the first of some
// readable scales that the worst hour does not burst.
func heatCuts(worst float64) []float64 {
	scales := [][]float64{{1, 2, 5, 10}, {5, 10, 20, 30}, {15, 30, 60, 90}, {60, 120, 300, 600}, {600, 1200, 1800, 3600}}
	for _, s := range scales {
		if worst <= 2*s[3] {
			return s
		}
	}
	return scales[len(scales)-1]
}

// heatSigns are the legend of the colours.
func heatSigns(cuts []float64) (all []Sign) {
	last := ""
	for i, c := range cuts {
		name := chart.Seconds.Short(c)
		if i == 0 {
			all = append(all, sign("", "h0", "< "+name))
		} else {
			all = append(all, sign("", fmt.Sprintf("h%d", i), last+"–"+name))
		}
		last = name
	}
	return append(all, sign("", "h4", "> "+last))
}

// hoursShown widens hours to half a day at the least: cells keep their shape.
func hoursShown(first, last int) (from, to int) {
	for last-first < 11 {
		first, last = max(first-1, 0), min(last+1, 23)
	}
	return first, last
}

// queueByHourCard shows the hours of the week in which runners are short.
func (d *Dashboard) queueByHourCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Queue time by hour", Question: "When are runners short?", Define: "queue"}
	a, err := d.queue(ctx, v)
	if err != nil {
		return c, err
	}
	if len(a.Hours) == 0 {
		c.Empty = &Empty{Text: "Of no job of this time is known how long it waited."}
		return c, nil
	}
	first, last := 23, 0
	for _, h := range a.Hours {
		first, last = min(first, h.Hour), max(last, h.Hour)
	}
	first, last = hoursShown(first, last)
	picture := chart.Heat{ID: "queue-by-hour", Rows: weekdays(), Nothing: "no jobs"}
	c.Table = Table{Columns: []Column{{"Day", "weekday", false}}}
	for h := first; h <= last; h++ {
		picture.Columns = append(picture.Columns, fmt.Sprintf("%02d", h))
		c.Table.Columns = append(c.Table.Columns, Column{fmt.Sprintf("%02d", h), fmt.Sprintf("p95_%02d_s", h), true})
	}
	values := make([][]float64, 7)
	picture.Hints = make([][]chart.Hint, 7)
	for i := range values {
		values[i], picture.Hints[i] = make([]float64, last-first+1), make([]chart.Hint, last-first+1)
		for k := range values[i] {
			values[i][k] = math.NaN()
		}
	}
	worst, said := 0.0, ""
	for _, h := range a.Hours {
		if s, ok := h.Percentiles.At(.95); ok && h.Weekday >= 1 && h.Weekday <= 7 {
			values[h.Weekday-1][h.Hour-first] = s
			picture.Hints[h.Weekday-1][h.Hour-first] = v.latest(&h)
			if s > worst {
				worst, said = s, fmt.Sprintf("The p95 is highest on %s at %02d:00, with %s.", weekdays()[h.Weekday-1], h.Hour, chart.Duration(s))
			}
		}
	}
	picture.Values, picture.Cuts = values, heatCuts(worst)
	c.Legend = heatSigns(picture.Cuts)
	for i, day := range weekdays() {
		r := Row{Cells: []Cell{textCell(day)}, Hrefs: []string{""}}
		for k, s := range values[i] {
			r.Cells = append(r.Cells, nanCell(s))
			r.Hrefs = append(r.Hrefs, picture.Hints[i][k].Href)
		}
		c.Table.Rows = append(c.Table.Rows, r)
	}
	c.Note = "p95 of the time that jobs wait, on the clock of your time zone. An hour leads to the pipelines that were in its queue the last time."
	c.Desc = said
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

// latest says of an hour of the week when it was the last time, and leads to
// the pipelines whose jobs began to wait then: those created from the first on
// until the last of them, to the second as addresses have it.
func (v *view) latest(h *analytics.QueueHour) chart.Hint {
	to := h.CreatedTo.Time().Add(time.Second - time.Millisecond).Truncate(time.Second)
	return chart.Hint{
		Text: ", and the last time on " + h.LatestAt.Time().In(v.filter.Zone).Format("2 Jan"),
		Href: v.between(h.CreatedFrom.Time().Truncate(time.Second), to),
	}
}
