package gitlab_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab/gitlabtest"
)

// values are the values of a JSON text, numbers as they are written.
func values(t testing.TB, text []byte) (v map[string]any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// oddLogs puts into the world what logs of the real world have.
func oddLogs(w *gitlabtest.World) {
	n := 0
	for _, p := range w.Projects {
		for _, pl := range p.Pipelines {
			for _, j := range pl.Jobs {
				if !strings.HasPrefix(j.Name, "e2e") || j.Started.IsZero() {
					continue
				}
				n++
				two := "real\t0m9.999s\nx\nreal\t1m0.5s\n"
				j.Log = []string{
					j.Log, two, "real\t12m3.001s\n" + two, "pulled real\t0m7.0s\n" + two, "real\t1m1.5s\r\n" + two, "real\t0m250s\nreal\t0m1.0s\n",
					"", "real\t0m1.0s", two + "\xff", "\xc3", "ü" + two, strings.Repeat("x", 70_000) + two, strings.Repeat("ü", 40_000) + "\n" + two,
					"real\t0m1,5s\nreal\t0m1.5s\n", "real 1.5\nreal 2.5\n", "real\t1m2.3s user\n" + two, strings.Repeat("9", 40) + two,
				}[n%17]
			}
		}
	}
}

// Of the same answers of GitLab, ours makes the same report as the original's
// client, to the last digit, or both make none.
func TestMetricsAreTheOriginals(t *testing.T) {
	t.Parallel()
	w := gitlabtest.Generate(21, 150)
	oddLogs(w)
	s := gitlabtest.Serve(t, w, gitlabtest.Faults{}, nil)
	c := clientOf(t, s)
	reports, none, failed := 0, 0, 0
	for _, project := range w.Projects {
		p := projectOf(t, c, project.Path)
		for i, pl := range project.Pipelines {
			o := gitlab.Original{StageBuild: "build", JobsBuild: []string{"build-e2e"}, StageE2e: "test", NotE2e: []string{"lint", "unit"}, Steps: []string{"up", "e2e"}, Optimistic: i%4 != 0}
			if i%3 == 0 {
				o.Steps = []string{"pull", "up", "e2e"}
			}
			if i%5 == 0 {
				o.StageE2e, o.NotE2e = "deploy", nil
			}
			model := &gitlabtest.OriginalClient{
				GitLab: s.URL, ProjectID: project.ID, ProjectName: "test/project", StageBuild: o.StageBuild, StageE2e: o.StageE2e, JobsBuild: o.JobsBuild,
				Blacklist: o.NotE2e, Step: o.Steps, Optimistic: o.Optimistic,
			}
			want, wantErr := report(model, pl.ID)
			m, err := c.Metrics(t.Context(), p, pl.ID, &o)
			switch {
			case wantErr != nil:
				if failed++; err == nil || errors.Is(err, gitlab.ErrNoE2e) {
					t.Errorf("pipeline %d: %v, the original: %v", pl.ID, err, wantErr)
				}
			case want == nil:
				if none++; !errors.Is(err, gitlab.ErrNoE2e) {
					t.Errorf("pipeline %d: %v, the original sends nothing", pl.ID, err)
				}
			case err != nil:
				t.Errorf("pipeline %d: %v", pl.ID, err)
			default:
				reports++
				m.Project = "test/project"
				got, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(values(t, want), values(t, got)); diff != "" {
					t.Errorf("pipeline %d (-original +ours):\n%s", pl.ID, diff)
				}
			}
		}
	}
	if reports < 50 || none == 0 || failed < 5 {
		t.Errorf("%d reports, %d without e2e jobs, %d failures: too few to say something", reports, none, failed)
	}
}

// report turns the panics of the model, where the original breaks down, into
// errors.
func report(c *gitlabtest.OriginalClient, id int64) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return c.Report(id)
}
