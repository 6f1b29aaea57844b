package analytics_test

import (
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
		save("acme/step-of-two", 2, 3, 2, 3, 2, 3, 2, 3, 3, 7, 8)
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
			if f.P >= 0.05 {
				t.Errorf("%s: %q with p %g", f.Project, f.Sentence, f.P)
			}
		}
		for project, isTold := range map[string]bool{"acme/scatter": false, "acme/step-of-two": true} {
			if !fired[project] || told[project] != isTold {
				t.Errorf("%s: the rule fired %t, told %t, want %t", project, fired[project], told[project], isTold)
			}
		}
	})
}
