package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Pages put together are the whole list, each pipeline once, the newest first.
func TestPagesOfPipelines(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for id := range int64(25) {
			r := told(id + 1)
			r.Pipeline.CreatedAt = noon.Add(-time.Duration(id/5) * time.Hour) // five at a time are equally old
			if id >= 15 {                                                     // and of the last ten nobody says when they were created, nor anything else
				r = ci.Report{Project: r.Project, Pipeline: ci.Pipeline{ID: id + 1, Ref: "main"}}
			}
			save(t, s, r)
		}
		p, err := s.Project(t.Context(), "acme/shop")
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		var after *store.Place
		for {
			page, err := s.Pipelines(t.Context(), p.ID, after, 7)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				got = append(got, p.ID)
				if p.ID > 15 != p.CreatedAt.IsZero() {
					t.Errorf("pipeline %d was created at %v", p.ID, p.CreatedAt)
				}
			}
			after = new(page[len(page)-1].Place())
		}
		var want []int64
		for five := range int64(3) {
			for i := range int64(5) {
				want = append(want, five*5+5-i)
			}
		}
		for id := int64(25); id > 15; id-- {
			want = append(want, id)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestPagesOfProjects(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for i := range 7 {
			r := posted(1)
			r.Project = fmt.Sprintf("group/p%d", i)
			save(t, s, r)
		}
		var got []string
		after := ""
		for {
			page, err := s.Projects(t.Context(), after, 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				got, after = append(got, p.Name), p.Name
			}
		}
		if diff := cmp.Diff([]string{"group/p0", "group/p1", "group/p2", "group/p3", "group/p4", "group/p5", "group/p6"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestOnePipelineWithAttemptsAndSteps(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		save(t, s, told(1))
		p, err := s.Project(t.Context(), "acme/shop")
		if err != nil {
			t.Fatal(err)
		}
		attempts, err := s.Attempts(t.Context(), p.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		type row struct {
			Job     string
			Number  int64
			Retried bool
			Steps   []store.Step
		}
		var got []row
		for _, a := range attempts {
			got = append(got, row{a.Job, a.Number, a.IsRetried, a.Steps})
		}
		want := []row{
			{"build-e2e", 1, false, nil},
			{"e2e", 1, true, []store.Step{{Name: "up", Source: "report", DurationS: 42}, {Name: "e2e", Source: "report", StartedAt: noon.Add(180e9), DurationS: 60.5}}},
			{"e2e", 2, false, nil},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := s.Pipeline(t.Context(), p.ID, 2); !errors.Is(err, store.ErrUnknown) {
			t.Errorf("a pipeline that is not there: %v", err)
		}
		if _, err := s.Project(t.Context(), "nobody"); !errors.Is(err, store.ErrUnknown) {
			t.Errorf("a project that is not there: %v", err)
		}
	})
}

// The steps of a legacy report are with the attempt that another source told.
func TestLegacyStepsAreLinked(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		save(t, s, posted(1))
		r := told(1)
		r.Project = "test/project"
		r.Jobs[1].StartedAt = posted(1).Legacy.Entries[1].StartedAt.Truncate(1e9) // the same second
		save(t, s, r)
		p, err := s.Project(t.Context(), "test/project")
		if err != nil {
			t.Fatal(err)
		}
		attempts, err := s.Attempts(t.Context(), p.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, a := range attempts {
			got[a.Key] = len(a.Steps)
		}
		if diff := cmp.Diff(map[string]int{"#1": 0, "#2": 4, "#3": 0}, got); diff != "" {
			t.Errorf("steps by attempt (-want +got):\n%s", diff)
		}
	})
}
