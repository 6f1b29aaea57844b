package dashboard

import (
	"context"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// phaseKeys are the colours of phases. Those that come later share one.
var phaseKeys = []string{"c2", "c4", "c1", "c6"} //nolint:gochecknoglobals // constant

// whereParts are the parts of an answer, the lowest first: waiting for a
// runner, what ran by phase, with getting ready before the phase that does most
// of it, and the rest.
func whereParts(all *analytics.PathTimes) []stackPart[analytics.PathTimes] {
	setUp := stackPart[analytics.PathTimes]{"c3", "set-up", "set_up_s", func(t *analytics.PathTimes) *float64 { return sumOf(t.Phases, setUpOf) }}
	most, at := 0.0, -1
	for i := range all.Phases {
		if s := all.Phases[i].SetUpS; s != nil && *s > most {
			most, at = *s, i
		}
	}
	parts := []stackPart[analytics.PathTimes]{{"queue", "queued", "queue_s", func(t *analytics.PathTimes) *float64 { return t.QueueS }}}
	named := 0
	for i := range all.Phases {
		if i == at {
			parts = append(parts, setUp)
		}
		part := stackPart[analytics.PathTimes]{key: "c0", name: "other jobs", field: "other_s", of: func(t *analytics.PathTimes) *float64 { return sumOf(t.Phases[i:], runOf) }}
		if all.Phases[i].Phase == nil || named == len(phaseKeys) {
			if at > i {
				parts = append(parts, setUp)
			}
			parts = append(parts, part)
			break
		}
		part.key, part.name, part.field = phaseKeys[named], *all.Phases[i].Phase, *all.Phases[i].Phase+"_s"
		part.of = func(t *analytics.PathTimes) *float64 { return t.Phases[i].RunS }
		parts = append(parts, part)
		named++
	}
	return append(parts,
		stackPart[analytics.PathTimes]{"retry", "retried", "retry_s", func(t *analytics.PathTimes) *float64 { return t.RetryS }},
		stackPart[analytics.PathTimes]{"blocked", "waiting for a person", "blocked_s", func(t *analytics.PathTimes) *float64 { return t.BlockedS }},
		stackPart[analytics.PathTimes]{"gap", "not known", "gap_s", func(t *analytics.PathTimes) *float64 { return t.GapS }})
}

func setUpOf(p *analytics.PathPhase) *float64 { return p.SetUpS }
func runOf(p *analytics.PathPhase) *float64   { return p.RunS }

// sumOf adds up a time of phases; nil: none is known.
func sumOf(phases []analytics.PathPhase, of func(*analytics.PathPhase) *float64) (sum *float64) {
	for i := range phases {
		if s := of(&phases[i]); s != nil {
			if sum == nil {
				sum = new(0.0)
			}
			*sum += *s
		}
	}
	return sum
}

// leastShown is how many seconds a part must have somewhere to be drawn.
const leastShown = .5

// whereCard says where the wall time goes, along the critical paths.
func (d *Dashboard) whereCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Where the time goes", Question: "Queue or run time? Set-up or tests?", Define: "where"}
	a, err := d.Analytics.CriticalPath(ctx, v.filter)
	if err != nil {
		return c, err
	}
	picture := chart.Stack{ID: "where", Height: 224, From: v.filter.Window.From, To: v.filter.Window.To, Location: v.filter.Zone, XTicks: 4}
	c.Table = Table{Columns: []Column{{"From", "start", false}, {"Pipelines", "count", true}}}
	parts := slices.DeleteFunc(whereParts(&a.PathTimes), func(p stackPart[analytics.PathTimes]) bool {
		return !slices.ContainsFunc(a.Buckets, func(b analytics.PathBucket) bool {
			s := p.of(&b.PathTimes)
			return s != nil && *s >= leastShown
		})
	})
	names := columnsOf(parts, &picture, &c)
	for i := range a.Buckets {
		b := &a.Buckets[i]
		from, to := time.Time(b.Start), time.Time(b.End)
		r := Row{From: stamp(from), To: stamp(to), Cells: []Cell{bucketCell(from, to, v.filter.Zone, b.IsRunning), countCell(b.Count)}}
		if b.Count > 0 {
			r.Href = v.between(from, to)
		}
		values, cells := valuesOf(parts, &b.PathTimes)
		r.Cells = append(r.Cells, cells...)
		picture.Bars = append(picture.Bars, chart.Bar{From: from, To: to, Values: values, Open: b.IsRunning})
		c.Table.Rows = append(c.Table.Rows, r)
	}
	if a.Count == 0 {
		c.Empty = v.noValues("No pipeline of this time that passed says when its jobs ran.")
		return c, nil
	}
	var notes []string
	picture.Gaps, notes = d.gaps(ctx, v)
	c.Note = noted(notes)
	c.Desc = "The mean wall time of pipelines, along their critical paths. " + picture.Describe(names)
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}
