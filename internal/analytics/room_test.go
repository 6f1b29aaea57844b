package analytics_test

import (
	"errors"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A question that must keep its values is refused where they are too many, with
// what to do, and one that adds up as it goes is answered of any number.
func TestAnswersKeepNoMoreThanTheyMay(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, 250)
		small := questions(analytics.New(analytics.Config{Store: s, Now: clock, MaxNumbers: 20}), w.pipelines[0].id)
		f := filter(t, "range=1y&ref=@all")
		for _, keeps := range []string{"stats", "stats of a phase", "stats of a job", "stats of a step", "jobs", "a job", "of a job", "queue", "concurrency", "critical path", "flaky", "projects", "dots", "news", "compare"} {
			wrong, isField := errors.AsType[*analytics.FieldError](small[keeps](t.Context(), f))
			if !isField || wrong.Field != "range" {
				t.Errorf("%s: want to be told that the range has too much, not %v", keeps, wrong)
			}
			delete(small, keeps)
		}
		for adds, ask := range small {
			if err := ask(t.Context(), filter(t, "range=1y&ref=@all&project="+w.pipelines[0].project)); err != nil {
				t.Errorf("%s keeps no values, and yet: %v", adds, err)
			}
		}
	})
}
