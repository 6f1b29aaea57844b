package analytics

import (
	"cmp"
	"context"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Dots are single pipelines to be drawn beside percentiles: all of them, or a
// part that is the same each time.
type Dots struct {
	Total int64 // finished pipelines of known duration
	Items []Dot
}

// A Dot is a pipeline in the shortest form.
type Dot struct {
	Project    string
	PipelineID int64
	CreatedAt  Time
	ActiveS    float64
	Outcome    string
}

// Dots returns about limit finished pipelines of f, in order of time: where
// there are more, rather those that failed or were restarted.
func (a *Analytics) Dots(ctx context.Context, f Filter, limit int64) (*Dots, error) {
	answer := &Dots{}
	f.Results = []string{ResultAll}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		names, err := s.names(ctx, read)
		if err != nil {
			return err
		}
		var loud, quiet []Dot
		err = s.eachPipelines(ctx, read, s.Window, ResultAll, store.PipelineID|store.ActiveMS, func(c chosen) {
			id, active, outcome := c.Numbers(store.PipelineID), c.Numbers(store.ActiveMS), c.outcomes()
			for _, i := range c.rows {
				if active[i] == store.None {
					continue
				}
				s.room.take(dotNumbers)
				d := Dot{names[c.Project], id[i], Time(instant(c.Created[i])), float64(active[i]) / 1000, outcome(i)}
				if d.Outcome == Failed || c.Flags(i)&store.Restarted != 0 {
					loud = append(loud, d)
				} else {
					quiet = append(quiet, d)
				}
			}
		})
		answer.Total = int64(len(loud) + len(quiet))
		loud = thinned(loud, limit*3/4)
		answer.Items = append(loud, thinned(quiet, max(limit-int64(len(loud)), 1))...)
		slices.SortFunc(answer.Items, func(x, y Dot) int {
			return cmp.Or(x.CreatedAt.compare(y.CreatedAt), cmp.Compare(x.PipelineID, y.PipelineID))
		})
		return err
	})
	return answer, err
}

// thinned are about so many of the dots, by their numbers, and thereby the same
// each time.
func thinned(all []Dot, limit int64) []Dot {
	limit = max(limit, 1)
	every := (int64(len(all)) + limit - 1) / limit
	return slices.DeleteFunc(all, func(d Dot) bool { return every > 1 && d.PipelineID%every != 0 })
}
