package analytics

import (
	"context"
	"fmt"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxChoices is how many names of one kind are offered.
const maxChoices = 30

// Choices are what one can choose from in a filter: the names that pipelines of
// its time have, the most frequent first, and at most 30 of a kind.
type Choices struct {
	Refs, Workflows, Triggers []string
}

// Choices answers which branches, workflows and triggers there are in the
// projects and the time of f; what else f says is left alone.
func (a *Analytics) Choices(ctx context.Context, f Filter) (Choices, error) {
	var c Choices
	open := Filter{Projects: f.Projects, Window: f.Window, Refs: []string{AnyRef}, Restarts: RestartsIn, Zone: f.Zone}
	err := a.ask(ctx, &open, func(ctx context.Context, read *store.Reading, s *scope) error {
		for _, kind := range []struct {
			column, more string
			names        *[]string
		}{
			{"p.ref", " AND p.ref_kind = 'branch'", &c.Refs},
			{"p.workflow", "", &c.Workflows},
			{"p.trigger", "", &c.Triggers},
		} {
			var args arguments
			text := "SELECT " + kind.column + " FROM pipelines p WHERE " + s.pipelines(&args, s.Window) + kind.more +
				" AND " + kind.column + " IS NOT NULL GROUP BY " + kind.column + " ORDER BY COUNT(*) DESC, " + kind.column + " LIMIT " + args.add(maxChoices)
			err := read.Rows(ctx, text, args, func(scan store.Scan) error {
				var name string
				err := scan(&name)
				*kind.names = append(*kind.names, name)
				return err
			})
			if err != nil {
				return fmt.Errorf("read the choices of a filter: %w", err)
			}
		}
		return nil
	})
	return c, err
}
