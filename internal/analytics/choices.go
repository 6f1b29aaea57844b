package analytics

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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
	open := Filter{Projects: f.Projects, Window: f.Window, Refs: []string{AnyRef}, Restarts: RestartsIn, Zone: f.Zone}
	refs, workflows, triggers := map[string]int{}, map[string]int{}, map[string]int{}
	err := a.ask(ctx, &open, func(ctx context.Context, read *store.Reading, s *scope) error {
		return s.eachPipelines(ctx, read, s.Window, "", store.RefText|store.RefKindText|store.WorkflowText|store.TriggerText, func(c chosen) {
			isBranch := such(c.Texts(store.RefKindText), oneOf([]string{"branch"}))
			countTexts(refs, c.Texts(store.RefText), slices.DeleteFunc(slices.Clone(c.rows), func(i int) bool { return !isBranch(i) }))
			countTexts(workflows, c.Texts(store.WorkflowText), c.rows)
			countTexts(triggers, c.Texts(store.TriggerText), c.rows)
		})
	})
	if err != nil {
		return Choices{}, fmt.Errorf("read the choices of a filter: %w", err)
	}
	return Choices{frequent(refs), frequent(workflows), frequent(triggers)}, nil
}

// countTexts counts the texts of some rows.
func countTexts(to map[string]int, t *store.Texts, rows []int) {
	many := make([]int, len(t.Values))
	for _, i := range rows {
		many[t.Codes[i]]++
	}
	for code, text := range t.Values {
		to[text] += many[code]
	}
}

// frequent are the names that were counted most often.
func frequent(many map[string]int) (names []string) {
	for name, n := range many {
		if n > 0 && name != "" {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(many[b], many[a]), cmp.Compare(a, b)) })
	return names[:min(len(names), maxChoices)]
}
