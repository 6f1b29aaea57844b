package analytics_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Dots, attempts of a job and the choices of a filter are what the list of
// pipelines and their details say.
func TestSingles(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 16, 0, 0, 0, time.UTC)
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		t.Helper()
		h := demo.Generate(3, now, 14)
		if err := h.Save(t.Context(), func(ctx context.Context, r ci.Report) error {
			_, err := s.Save(ctx, r)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		a := analytics.New(analytics.Config{Store: s, Now: func() time.Time { return now }})
		f, err := analytics.ParseFilter(url.Values{"project": {"acme/shop"}, "ref": {"@all"}, "range": {"14d"}, "result": {"all"}}, now)
		if err != nil {
			t.Fatal(err)
		}
		list, err := a.Pipelines(t.Context(), f, analytics.Page{Limit: analytics.MaxLimit})
		if err != nil {
			t.Fatal(err)
		}
		var loud, timed int64
		refs, runs := map[string]bool{}, 0
		for i := range list.Items {
			p := &list.Items[i]
			if p.RefKind != nil && *p.RefKind == "branch" {
				refs[*p.Ref] = true
			}
			if p.ActiveS == nil {
				continue
			}
			timed++
			if p.HasRestarts || p.Outcome == analytics.Failed {
				loud++
			}
		}
		all, err := a.Dots(t.Context(), f, 1<<20)
		if err != nil || all.Total != timed || int64(len(all.Items)) != timed || timed == 0 {
			t.Errorf("%d of %d dots, want %d: %v", len(all.Items), all.Total, timed, err)
		}
		some, err := a.Dots(t.Context(), f, 2*loud)
		if err != nil {
			t.Fatal(err)
		}
		kept := int64(0)
		for _, d := range some.Items {
			if d.Outcome == analytics.Restarted || d.Outcome == analytics.Failed {
				kept++
			}
		}
		if some.Total != timed || int64(len(some.Items)) > 4*loud || kept < loud*9/10 {
			t.Errorf("of %d, %d of them loud, %d are drawn and %d of these are loud", timed, loud, len(some.Items), kept)
		}
		for i := range list.Items {
			detail, err := a.PipelineDetail(t.Context(), f, list.Items[i].PipelineID)
			if err != nil {
				t.Fatal(err)
			}
			for k := range detail.Jobs {
				if detail.Jobs[k].Job == "unit" {
					runs++
				}
			}
			if i == 200 {
				break
			}
		}
		got, err := a.JobRuns(t.Context(), f, "unit")
		if err != nil || len(list.Items) <= 200 && len(got.Items) != runs || len(got.Items) < runs/2 {
			t.Errorf("%d attempts of unit, want %d: %v", len(got.Items), runs, err)
		}
		c, err := a.Choices(t.Context(), f)
		if err != nil || len(c.Triggers) < 2 {
			t.Errorf("choices are %+v: %v", c, err)
		}
		for _, ref := range c.Refs {
			if !refs[ref] {
				t.Errorf("%s is offered, and no pipeline is of it", ref)
			}
		}
	})
}

// Of more attempts of a job than are looked at one by one, the newest are kept.
func TestMostJobRuns(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 16, 0, 0, 0, time.UTC)
	const pipelines, attempts = 30, 800
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		t.Helper()
		for id := range int64(pipelines) {
			created := now.Add(-time.Duration(id*7%pipelines+1) * 20 * time.Hour)
			r := ci.Report{Provider: "gitlab", Project: "acme/shop", Source: ci.API, Pipeline: ci.Pipeline{
				ID: id + 1, Ref: "main", State: ci.Finished, Result: ci.Success, CreatedAt: created, FinishedAt: created.Add(time.Hour),
			}}
			for k := range attempts {
				r.Jobs = append(r.Jobs, ci.Attempt{ID: fmt.Sprint(id, "-", k), Name: "unit", State: ci.Finished, Result: ci.Success, StartedAt: created, FinishedAt: created.Add(time.Minute)})
			}
			if _, err := s.Save(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		a := analytics.New(analytics.Config{Store: s, Now: func() time.Time { return now }})
		f, err := analytics.ParseFilter(url.Values{"project": {"acme/shop"}, "ref": {"@all"}, "range": {"30d"}}, now)
		if err != nil {
			t.Fatal(err)
		}
		runs, err := a.JobRuns(t.Context(), f, "unit")
		if err != nil || !runs.Truncated || len(runs.Items) != 5000 {
			t.Fatalf("%d attempts, cut short %v: %v", len(runs.Items), runs.Truncated, err)
		}
		for i, r := range runs.Items {
			if want := now.Add(-time.Duration(i/attempts+1) * 20 * time.Hour); !r.CreatedAt.Time().Equal(want) {
				t.Fatalf("attempt %d is of %s, want %s", i, r.CreatedAt, want)
			}
		}
	})
}
