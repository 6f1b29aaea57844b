package analytics_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// The figure of an objective is the percentile that Stats gives, and it is
// missed when that is above the maximum and rests on enough values.
func TestObjectives(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		newWorld(t, s, 150)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		decide := func(project string, all ...ci.Objective) {
			t.Helper()
			p, err := s.Project(t.Context(), project)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.SetSettings(t.Context(), p, ci.Settings{Objectives: all}); err != nil {
				t.Fatal(err)
			}
		}
		decide("acme/shop", ci.Objective{Metric: "active", Percentile: .8, MaxS: 1}, ci.Objective{Metric: "end_of:e2e", Percentile: .95, MaxS: 1e6},
			ci.Objective{Metric: "job_run:e2e", Percentile: 1, MaxS: 0}, ci.Objective{Metric: "a phase of before", Percentile: .5, MaxS: 0})
		decide("acme/api", ci.Objective{Metric: "time_to_e2e", Percentile: .33, MaxS: 60})
		for _, q := range []string{"range=60d", "range=60d&project=acme/shop", "range=2d&ref=@all", "range=60d&result=failure", "range=60d&project=x/it's"} {
			f := filter(t, q)
			got, err := a.Objectives(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			var projects []string
			for _, o := range got.Items {
				projects = append(projects, o.Project)
				one := f
				one.Projects = []string{o.Project}
				want, err := a.Stats(t.Context(), one, o.Metric, []float64{o.Percentile})
				if err != nil {
					t.Fatal(err)
				}
				value, there := want.Summary.Percentiles.At(o.Percentile)
				if o.Count != want.Summary.Count || (o.ValueS != nil) != (there && want.Summary.Count > 0) {
					t.Errorf("%s: %s of %s has %d values, want %d", q, o.Metric, o.Project, o.Count, want.Summary.Count)
					continue
				}
				if o.ValueS != nil && (*o.ValueS-value > 1e-9 || value-*o.ValueS > 1e-9) {
					t.Errorf("%s: %s of %s is %g, want %g", q, o.Metric, o.Project, *o.ValueS, value)
				}
				if missed := want.Summary.Count >= 5 && value > o.MaxS; o.IsMissed != missed {
					t.Errorf("%s: %+v is missed: %t", q, o, o.IsMissed)
				}
			}
			want := []string{"acme/api", "acme/shop", "acme/shop", "acme/shop", "acme/shop"}
			if len(f.Projects) == 1 {
				want = map[string][]string{"acme/shop": want[1:]}[f.Projects[0]]
			}
			if diff := cmp.Diff(want, projects); diff != "" {
				t.Errorf("%s: (-want +got):\n%s", q, diff)
			}
			if rows := got.Table().Rows; len(rows) != len(want) {
				t.Errorf("%s: the table has %d rows", q, len(rows))
			}
		}
	})
}

// The end of a phase is its first start and its span together.
func TestEndOfPhase(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, 60)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		f := filter(t, "project=acme/shop&range=90d&ref=@all&result=all")
		got, err := a.Stats(t.Context(), f, "end_of:e2e", []float64{0, 1})
		if err != nil {
			t.Fatal(err)
		}
		n, least, most := int64(0), int64(1)<<60, int64(0)
		for _, p := range w.pipelines {
			e2e, has := p.phases["e2e"]
			if !has || p.project != "acme/shop" || !p.known || p.state != "finished" || e2e.timeTo == nil || e2e.span == nil {
				continue
			}
			n++
			least, most = min(least, *e2e.timeTo+*e2e.span), max(most, *e2e.timeTo+*e2e.span)
		}
		low, _ := got.Summary.Percentiles.At(0)
		high, _ := got.Summary.Percentiles.At(1)
		if n == 0 || got.Summary.Count != n || low != float64(least)/1000 || high != float64(most)/1000 {
			t.Errorf("%d values from %g to %g, want %d from %d to %d ms", got.Summary.Count, low, high, n, least, most)
		}
	})
}
