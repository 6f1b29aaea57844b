package analytics

import (
	"context"
	"maps"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxPhases is how many phases are compared.
const maxPhases = 20

// A compared side has the values of each metric in order, in seconds.
type compared struct {
	metrics map[string][]float64
	curve   []float64
	jobs    map[string][]float64
	parts   side
	cut     bool
}

// compared reads one side.
func (s *scope) compared(ctx context.Context, read *store.Reading, curve string) (*compared, error) {
	c := &compared{metrics: map[string][]float64{}, jobs: map[string][]float64{}}
	p, err := s.picker(ctx, read, s.Window, ResultOK)
	var w Window
	if err == nil {
		w, err = c.window(ctx, read, p)
	}
	if err == nil {
		err = c.readDays(ctx, read, s, w)
	}
	if err == nil {
		err = c.readPhases(ctx, read, p, w)
	}
	if err == nil && curve != metricWall && curve != metricActive && c.metrics[curve] == nil {
		err = c.readCurve(ctx, read, s, w, curve)
	}
	for _, all := range []map[string][]float64{c.metrics, c.jobs, {curve: c.curve}} {
		for _, values := range all {
			slices.Sort(values)
		}
	}
	if c.curve == nil {
		c.curve = c.metrics[curve]
	}
	return c, err
}

// window is that of the newest pipelines of all projects together.
func (c *compared) window(ctx context.Context, read *store.Reading, p *picker) (w Window, err error) {
	created, err := p.created(ctx, read, p.Window)
	w, c.cut = newest(p.Window, slices.Concat(slices.Collect(maps.Values(created))...), maxHistory)
	return w, err
}

// Attribution says which part made the mean wall time of the head's pipelines
// another than that of the base's, as Compare does; nil where a side has none
// whose critical path is known.
func (a *Analytics) Attribution(ctx context.Context, base, head Filter) (*Attribution, error) {
	var sides [2]side
	err := a.store.Read(ctx, func(ctx context.Context, read *store.Reading) error {
		for i, f := range []*Filter{&base, &head} {
			found, err := projects(ctx, read, f)
			if err == nil {
				sides[i], err = a.scope(f, found).walked(ctx, read)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return attribute(sides[0], sides[1]), err
}

// walked is the side of the newest pipelines.
func (s *scope) walked(ctx context.Context, read *store.Reading) (side, error) {
	p, err := s.picker(ctx, read, s.Window, ResultOK)
	var w Window
	if err == nil {
		w, err = new(compared).window(ctx, read, p)
	}
	paths, sum := newPaths(), walked{}
	var parts []stretch
	if err == nil {
		err = s.days(ctx, read, func(v *sieve) error {
			paths.day(v)
			for i, wall := range v.Pipelines.Wall {
				if v.isWalked(w, i) {
					parts = paths.walk(v, i, parts[:0])
					sum.add(wall, parts)
				}
			}
			return nil
		}, w)
	}
	return paths.side(&sum), err
}

// readDays takes how long pipelines took, by what, and how long their jobs ran.
func (c *compared) readDays(ctx context.Context, read *store.Reading, s *scope, w Window) error {
	paths, sum := newPaths(), walked{}
	var parts []stretch
	err := s.days(ctx, read, func(v *sieve) error {
		paths.day(v)
		a := &v.Attempts
		jobs := make([][]float64, len(a.Name.Values))
		for i, wall := range v.Pipelines.Wall {
			if v.isWalked(w, i) {
				parts = paths.walk(v, i, parts[:0])
				sum.add(wall, parts)
				active := v.Pipelines.Active[i]
				if active == none {
					active = wall
				}
				c.add(metricWall, wall)
				c.add(metricActive, active)
			}
			if !v.in(w, i) || !v.of[i] {
				continue
			}
			from, to := v.attemptsOf(i)
			for k := from; k < to; k++ {
				if v.isGood(k) {
					code := a.Name.Codes[k]
					jobs[code] = append(jobs[code], float64(a.Run[k])/1000)
				}
			}
		}
		for code, values := range jobs {
			if values != nil {
				name := a.Name.Values[code]
				c.jobs[name] = append(c.jobs[name], values...)
			}
		}
		return nil
	}, w)
	c.parts = paths.side(&sum)
	return err
}

func (c *compared) add(metric string, ms int64) {
	c.metrics[metric] = append(c.metrics[metric], float64(ms)/1000)
}

// readPhases takes the milestones and spans of the phases, of the first by name.
func (c *compared) readPhases(ctx context.Context, read *store.Reading, p *picker, w Window) error {
	phases := map[string]bool{}
	err := p.eachPipelines(ctx, read, w, store.PhasesMS, func(some chosen) {
		for _, phase := range some.Phases() {
			for metric, column := range map[string][]int64{metricTimeTo + phase: some.Phase(phase, store.TimeTo), phase: some.Phase(phase, store.Span)} {
				for _, i := range some.rows {
					if column[i] != none {
						c.add(metric, column[i])
						phases[phase] = true
					}
				}
			}
		}
	})
	names := slices.Sorted(maps.Keys(phases))
	for _, phase := range names[min(len(names), maxPhases):] {
		delete(c.metrics, phase)
		delete(c.metrics, metricTimeTo+phase)
	}
	return err
}

// readCurve takes a metric that is none of the usual ones.
func (c *compared) readCurve(ctx context.Context, read *store.Reading, s *scope, w Window, metric string) error {
	measured, err := parseMetric(metric)
	if err != nil {
		return err
	}
	return measured(ctx, read, s, w, func(_ int64, ms float64) { c.curve = append(c.curve, ms/1000) })
}
