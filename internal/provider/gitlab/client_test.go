package gitlab_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab/gitlabtest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

// impatient asks as fast as it may, with a clock that stands still but for
// sleeps.
func impatient() rest.Config {
	var mu sync.Mutex
	now := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	return rest.Config{
		Rate: 1e6, Burst: 1e6, Timeout: 2 * time.Second,
		Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(d)
			return ctx.Err()
		},
	}
}

func clientOf(t *testing.T, s *gitlabtest.Server) *gitlab.Client {
	t.Helper()
	c, err := gitlab.NewClient(s.URL+"/", gitlabtest.Token, impatient())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

func projectOf(t *testing.T, c *gitlab.Client, name string) gitlab.Project {
	t.Helper()
	p, err := c.Project(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// told is a line for each attempt, as GitLab knows it.
func told(p *gitlabtest.Pipeline) (lines []string) {
	for _, j := range p.Jobs {
		kind := ""
		if j.Bridge {
			kind = "bridge"
		}
		lines = append(lines, fmt.Sprint(j.ID, " ", j.Name, " ", j.Stage, " ", kind, " ", j.Status, " ", j.Reason, " ", j.AllowFailure, " ", j.Created, j.Started, j.Finished, math.Round(1000*j.Queued), math.Round(1000*j.Duration()), j.Runner))
	}
	slices.Sort(lines)
	return lines
}

func read2(r *ci.Report) (lines []string) {
	for _, a := range r.Jobs {
		var queued, ran float64
		if a.QueuedS != nil {
			queued = *a.QueuedS
		}
		if a.DurationS != nil {
			ran = *a.DurationS
		}
		runner := ""
		if a.Runner != nil {
			runner = a.Runner.Name
		}
		lines = append(lines, fmt.Sprint(a.ID, " ", a.Name, " ", a.Stage, " ", a.Kind, " ", a.RawStatus, " ", a.FailureReason, " ", *a.AllowFailure, " ", a.CreatedAt, a.StartedAt, a.FinishedAt, math.Round(1000*queued), math.Round(1000*ran), runner))
	}
	slices.Sort(lines)
	return lines
}

// What the API tells of every pipeline is what there is.
func TestReadTellsAll(t *testing.T) {
	t.Parallel()
	w := gitlabtest.Generate(1, 120)
	s := gitlabtest.Serve(t, w, gitlabtest.Faults{}, nil)
	c := clientOf(t, s)
	parents := map[int64]*ci.Parent{}
	read := 0
	for _, project := range w.Projects {
		p := projectOf(t, c, project.Path)
		for _, want := range project.Pipelines {
			reports, err := c.Read(t.Context(), p, want.ID, gitlab.Logs{})
			if err != nil {
				t.Fatal(err)
			}
			r := &reports[0]
			if r.Pipeline.ID != want.ID || r.Source != ci.API || r.Provider != "gitlab" || r.Project != project.Path || r.Pipeline.RawStatus != want.Status ||
				!r.Pipeline.CreatedAt.Equal(want.Created) || !r.Pipeline.StartedAt.Equal(want.Started) || !r.Pipeline.FinishedAt.Equal(want.Finished) ||
				!r.Pipeline.UpdatedAt.Equal(want.Updated) || r.Pipeline.Trigger != want.Source || r.Pipeline.Workflow != want.Name || r.Pipeline.Commit != want.SHA {
				t.Errorf("%+v, want %+v", r.Pipeline, want)
			}
			number, isChange := strings.CutPrefix(want.Ref, "refs/merge-requests/")
			switch {
			case isChange && (r.Pipeline.RefKind != "change" || r.Pipeline.Ref != "" || r.Pipeline.ChangeID+"/head" != number),
				want.Tag && r.Pipeline.RefKind != "tag", !isChange && r.Pipeline.Ref != want.Ref:
				t.Errorf("%s is %s %q", want.Ref, r.Pipeline.RefKind, r.Pipeline.Ref)
			}
			if diff := cmp.Diff(told(want), read2(r)); diff != "" {
				t.Errorf("pipeline %d (-want +got):\n%s", want.ID, diff)
			}
			for _, child := range reports[1:] {
				parents[child.Pipeline.ID] = child.Pipeline.Parent
			}
			read++
		}
	}
	for _, project := range w.Projects {
		for _, pl := range project.Pipelines {
			var want *ci.Parent
			if pl.Parent != nil {
				want = &ci.Parent{Project: pl.Parent.Project.Path, PipelineID: pl.Parent.ID, JobID: strconv.FormatInt(pl.ParentJob, 10)}
			}
			if diff := cmp.Diff(want, parents[pl.ID]); diff != "" {
				t.Errorf("parent of %d (-want +got):\n%s", pl.ID, diff)
			}
		}
	}
	all, byRoute := s.Requests()
	if all != 3*read+len(w.Projects) {
		t.Errorf("%d requests for %d pipelines: %v", all, read, byRoute)
	}
}

func listed(t *testing.T, c *gitlab.Client, p gitlab.Project, w gitlab.Which) (ids []int64) {
	t.Helper()
	for l, err := range c.Changed(t.Context(), p, w) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, l.ID)
	}
	return ids
}

// Lists leave nothing out and tell nothing twice, also where many pipelines
// changed at one instant, and where some change while they are read.
func TestChangedLeavesNothingOut(t *testing.T) {
	t.Parallel()
	w := &gitlabtest.World{}
	project := w.AddProject("acme/shop")
	at := gitlabtest.Epoch
	for id := int64(1); id <= 450; id++ {
		if id < 100 || id > 330 { // 231 at one instant
			at = at.Add(time.Second)
		}
		source := "push"
		if id%9 == 0 {
			source = "parent_pipeline"
		}
		project.Pipelines = append(project.Pipelines, &gitlabtest.Pipeline{ID: id, Project: project, Source: source, Status: "success", Created: gitlabtest.Epoch, Updated: at})
	}
	s := gitlabtest.Serve(t, w, gitlabtest.Faults{}, nil)
	c := clientOf(t, s)
	p := projectOf(t, c, "acme/shop")
	var want []int64
	for id := int64(1); id <= 450; id++ {
		if id%9 != 0 {
			want = append(want, id)
		}
	}
	if diff := cmp.Diff(want, listed(t, c, p, gitlab.Which{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	since := project.Pipelines[399].Updated
	if got := listed(t, c, p, gitlab.Which{Since: since}); len(got) != 45 || got[0] != 400 {
		t.Errorf("since the 400th: %v", got)
	}
	if got := listed(t, c, p, gitlab.Which{Children: true}); len(got) != 50 || got[0] != 9 {
		t.Errorf("children: %v", got)
	}
	if n, known, err := c.Count(t.Context(), p, gitlab.Which{}); n != 400 || !known || err != nil {
		t.Error(n, known, err)
	}
	// Those of the first page change before the second is asked for.
	seen := map[int64]bool{}
	for l, err := range c.Changed(t.Context(), p, gitlab.Which{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) == 0 {
			s.BeforeNext(func() {
				for _, pl := range project.Pipelines[:50] {
					at = at.Add(time.Second)
					pl.Updated = at
				}
			})
		}
		seen[l.ID] = true
	}
	for _, id := range want {
		if !seen[id] {
			t.Errorf("pipeline %d is left out", id)
		}
	}
}

func TestGroupsAndPages(t *testing.T) {
	t.Parallel()
	w := &gitlabtest.World{}
	for i := range 130 {
		w.AddProject(fmt.Sprintf("acme/team-%d/app", i))
	}
	w.AddProject("other/app")
	w.Projects[3].Archived = true
	for id := int64(1); id <= 12; id++ {
		p := w.Projects[0]
		p.Pipelines = append(p.Pipelines, &gitlabtest.Pipeline{ID: id, Project: p, Status: []string{"success", "failed"}[id%2], Source: "push", Created: gitlabtest.Epoch, Updated: gitlabtest.Epoch})
	}
	c := clientOf(t, gitlabtest.Serve(t, w, gitlabtest.Faults{}, nil))
	var paths []string
	for p, err := range c.GroupProjects(t.Context(), "acme") {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p.Path)
	}
	if len(paths) != 129 || slices.Contains(paths, "acme/team-3/app") || slices.Contains(paths, "other/app") {
		t.Errorf("%d projects: %v", len(paths), paths)
	}
	for _, err := range c.GroupProjects(t.Context(), "nobody") {
		if !rest.HasStatus(err, 404) {
			t.Error(err)
		}
	}
	page, err := c.Page(t.Context(), projectOf(t, c, "acme/team-0/app"), gitlab.Which{Status: "success"}, 2, 4)
	if err != nil || len(page) != 2 || page[0].ID != 4 || page[1].ID != 2 {
		t.Error(page, err)
	}
}

// Logs are read once for sections and for the command time.
func TestLogsAreReadOnce(t *testing.T) {
	t.Parallel()
	w := gitlabtest.Generate(2, 1)
	s := gitlabtest.Serve(t, w, gitlabtest.Faults{}, nil)
	c := clientOf(t, s)
	for _, project := range w.Projects {
		for _, pl := range project.Pipelines {
			logs := gitlab.Logs{Of: func(a *ci.Attempt) bool { return strings.HasPrefix(a.Name, "e2e") }, Steps: [][]string{{"start", "check"}}}
			reports, err := c.Read(t.Context(), projectOf(t, c, project.Path), pl.ID, logs)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range reports[0].Jobs {
				var names []string
				for _, step := range a.Steps {
					names = append(names, step.Name)
				}
				want := []string(nil)
				if strings.HasPrefix(a.Name, "e2e") && !a.StartedAt.IsZero() {
					want = []string{"get_sources", "seed_data", "start", "check"}
				}
				if diff := cmp.Diff(want, names); diff != "" {
					t.Errorf("%s (-want +got):\n%s", a.Name, diff)
				}
				if n := s.Asked(fmt.Sprintf("/api/v4/projects/%d/jobs/%s/trace", project.ID, a.ID)); n > 1 || n == 1 != (want != nil) {
					t.Errorf("the log of %s was read %d times", a.Name, n)
				}
			}
		}
	}
}

func TestOddAnswers(t *testing.T) {
	t.Parallel()
	w := gitlabtest.Generate(3, 2)
	s := gitlabtest.Serve(t, w, gitlabtest.Faults{}, nil)
	c := clientOf(t, s)
	if _, err := c.Project(t.Context(), "acme/none"); err == nil || err.Error() != "find the project acme/none: GET /api/v4/projects/acme%2Fnone is answered 404 Not Found: 404 Project Not Found" {
		t.Error(err)
	}
	if _, err := c.Read(t.Context(), projectOf(t, c, "acme/shop"), 1, gitlab.Logs{}); !rest.HasStatus(err, 404) {
		t.Error(err)
	}
	stranger, err := gitlab.NewClient(s.URL+"/api/v4", "wrong", impatient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Project(t.Context(), "1"); !rest.HasStatus(err, 401) {
		t.Error(err)
	}
	if _, err := gitlab.NewClient("gitlab.example.com", "", rest.Config{}); err == nil {
		t.Error("an address without a scheme is taken")
	}
}
