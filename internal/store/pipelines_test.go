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

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		save(t, s, told(1))
		p, err := s.Project(t.Context(), "acme/shop")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Pipeline(t.Context(), p.ID, 2); !errors.Is(err, store.ErrUnknown) {
			t.Errorf("a pipeline that is not there: %v", err)
		}
		if _, err := s.Project(t.Context(), "nobody"); !errors.Is(err, store.ErrUnknown) {
			t.Errorf("a project that is not there: %v", err)
		}
	})
}
