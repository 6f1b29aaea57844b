package analytics_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// The rule fires on both series; only the one that made a step is told of.
func TestScatterIsNoFinding(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		save := func(project string, minutes ...int) {
			var all []ci.Report
			for i, m := range minutes {
				created := now.Add(time.Duration(i-len(minutes)) * time.Hour)
				end := created.Add(time.Duration(m) * time.Minute)
				all = append(all, ci.Report{
					Project: project, Source: ci.API,
					Pipeline: ci.Pipeline{ID: int64(i + 1), Ref: "main", CreatedAt: created, State: ci.Finished, Result: ci.Success, FinishedAt: end},
					Jobs:     []ci.Attempt{{ID: "1", Name: "e2e", State: ci.Finished, Result: ci.Success, CreatedAt: created, StartedAt: created, FinishedAt: end}},
				})
			}
			saveAll(t, s, all)
		}
		save("acme/scatter", 2, 9, 1, 8, 3, 9, 2, 8, 1, 9, 7, 8, 7)
		save("acme/step", 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 7, 8, 7)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		changes, findings, err := a.News(t.Context(), filter(t, "range=7d"))
		if err != nil {
			t.Fatal(err)
		}
		fired, told := map[string]bool{}, map[string]bool{}
		for _, c := range changes.Items {
			fired[c.Project] = fired[c.Project] || len(c.Regressions) > 0 && c.Regressions[0].ClearedAt == nil
		}
		for _, f := range findings.Items {
			told[f.Project] = true
			if f.P >= 0.002 {
				t.Errorf("%s: %q with p %g", f.Project, f.Sentence, f.P)
			}
		}
		for project, isTold := range map[string]bool{"acme/scatter": false, "acme/step": true} {
			if !fired[project] || told[project] != isTold {
				t.Errorf("%s: the rule fired %t, told %t, want %t", project, fired[project], told[project], isTold)
			}
		}
	})
}

// Of series that only scatter, in each of which the rule may fire at any time,
// hardly one is told of at a given time; of those that made a step, nearly all,
// with its third value where they scatter little, and also where chance makes
// the rule see a further rise in it.
func TestHowOftenFindingsAreWrong(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(17, 18))
	rule := analytics.UsualRule(true)
	for _, c := range []struct {
		sigma, step float64
		since       int
		least, most float64
	}{
		{0.08, 1, 0, 0, 0.002},
		{0.25, 1, 0, 0, 0.01},
		{0.6, 1, 0, 0, 0.015},
		{0.08, 1.5, 3, 0.99, 1},
		{0.15, 1.5, 6, 0.9, 1},
		{0.15, 2, 12, 0.96, 1},
	} {
		const series = 1500
		told := 0.0
		for range series {
			values := make([]float64, 60)
			for i := range values {
				values[i] = 600 * math.Exp(c.sigma*random.NormFloat64())
				if i >= len(values)-c.since {
					values[i] *= c.step
				}
			}
			if analytics.IsTold(rule, values) {
				told += 1.0 / series
			}
		}
		if told < c.least || told > c.most+1e-9 {
			t.Errorf("values with a sigma of %g, %d of them %g times as long: %.1f %% are told, want %.1f to %.1f", c.sigma, c.since, c.step, told*100, c.least*100, c.most*100)
		}
	}
}
