package store

import (
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A batch ends where it would take too long, whether its reports tell of many
// attempts or of many steps.
func TestBatchEndsAtItsLimit(t *testing.T) {
	t.Parallel()
	const half = maxEntries / 2
	for name, report := range map[string]ci.Report{
		"attempts":       {Jobs: make([]ci.Attempt, half)},
		"steps":          {Jobs: []ci.Attempt{{Steps: make([]ci.Step, half)}}},
		"legacy entries": {Legacy: &ci.Legacy{Entries: make([]ci.LegacyEntry, half)}},
	} {
		s := &Store{queue: make(chan *request, 5)}
		for range 5 {
			s.queue <- &request{report: report}
		}
		if got := len(s.gather(<-s.queue)); got != 2 {
			t.Errorf("%s: %d reports of half the limit in a batch, want 2", name, got)
		}
	}
}
