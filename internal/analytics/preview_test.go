package analytics_test

import (
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// What a preview says is what comes true when its settings are saved and the
// past is derived again.
func TestPreviewComesTrue(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		newWorld(t, s, 120)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		p, err := s.Project(t.Context(), "acme/shop")
		if err != nil {
			t.Fatal(err)
		}
		settings := ci.Settings{
			Phases:     ci.Phases{{Name: "e2e", Jobs: []string{"e2e*"}}, {Name: "pulls", Jobs: []string{"*"}, Steps: []string{"up"}}, {Name: "rest", Jobs: []string{"*"}}},
			LateAfterS: new(0.0),
			Objectives: []ci.Objective{{Metric: "rest", Percentile: .9, MaxS: 1}, {Metric: "e2e", Percentile: .5, MaxS: 1e6}, {Metric: "pulls_work", Percentile: .5, MaxS: 0}},
			Milestones: []ci.Milestone{{Name: "done", Phase: "e2e", At: "finish"}},
			KeepDays:   10,
		}
		q := "project=acme/shop&range=90d"
		before := figures(t, a, q, "e2e", "build")
		got, err := a.Preview(t.Context(), p, settings)
		if err != nil {
			t.Fatal(err)
		}
		told := map[string]analytics.PreviewFigure{}
		for _, f := range got.Figures {
			told[f.Metric] = f
		}
		for metric, want := range before {
			agreeOnSummary(t, "before, "+metric, told[metric].Before, want)
		}
		if err := s.SetSettings(t.Context(), p, settings); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recompute(t.Context(), store.Recompute{}); err != nil {
			t.Fatal(err)
		}
		changed := 0
		for metric, want := range figures(t, a, q, "active", "time_to_e2e", "e2e", "e2e_work", "rest", "time_to_rest", "pulls_work", "build", "end_of:e2e") {
			agreeOnSummary(t, "after, "+metric, told[metric].After, want)
			if want.Count > 0 {
				changed++
			}
		}
		if changed < 6 || got.Pipelines == 0 || got.Pipelines > 100 {
			t.Errorf("only %d metrics have values, of %d pipelines", changed, got.Pipelines)
		}
		for i, missed := range []bool{true, false, told["pulls_work"].After.Count >= 5} {
			if o := got.Objectives[i]; o.IsMissed != missed {
				t.Errorf("the objective %+v is missed: %t, want %t", o, o.IsMissed, missed)
			}
		}
		old := storetest.Table(t, s, "SELECT count(*) FROM pipelines WHERE project_id = $1 AND created_ms > 0 AND created_ms < $2", p.ID, now.AddDate(0, 0, -10).UnixMilli())
		if old[0][0] != got.Removed {
			t.Errorf("%d are to be removed, want %v", got.Removed, old[0][0])
		}
		phases := map[string]bool{}
		for _, j := range got.Jobs {
			if phases[j.After] = true; j.Step == "" && j.After == "" {
				t.Errorf("%s is in no phase, and rest is all that are in no other", j.Job)
			}
		}
		if !phases["rest"] || !phases["e2e"] {
			t.Errorf("phases of jobs: %v", phases)
		}
	})
}

func figures(t *testing.T, a *analytics.Analytics, q string, metrics ...string) map[string]analytics.Summary {
	t.Helper()
	all := map[string]analytics.Summary{}
	for _, metric := range metrics {
		answer, err := a.Stats(t.Context(), filter(t, q), metric, nil)
		if err != nil {
			t.Fatal(err)
		}
		all[metric] = answer.Summary
	}
	return all
}

func agreeOnSummary(t *testing.T, what string, got, want analytics.Summary) {
	t.Helper()
	if got.Count != want.Count {
		t.Errorf("%s: %d values, want %d", what, got.Count, want.Count)
		return
	}
	for _, f := range []float64{.5, .8, .95} {
		x, _ := got.Percentiles.At(f)
		y, _ := want.Percentiles.At(f)
		if d := x - y; d > 1e-9 || d < -1e-9 {
			t.Errorf("%s: the percentile at %g is %g, want %g", what, f, x, y)
		}
	}
}
