package gitlab_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	official "gitlab.com/gitlab-org/api/client-go/v2"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// officialSamples are the webhooks that GitLab's own Go client is tested with.
func officialSamples(t *testing.T) map[string][]byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "gitlab.com/gitlab-org/api/client-go/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, kind := range []string{"webhooks", "systemhooks"} {
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "testdata", kind, "*.json"))
		if err != nil || len(files) < 20 {
			t.Fatalf("%d samples of %s, %v", len(files), kind, err)
		}
		for _, file := range files {
			all[kind+"/"+filepath.Base(file)] = read(t, file)
		}
	}
	return all
}

var anyAddress = regexp.MustCompile(`[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}`)

// Those that are about CI tell the same to us and to GitLab's own client; of
// the others nothing is read, and none is an error.
func TestOfficialSamples(t *testing.T) {
	t.Parallel()
	told := 0
	for file, body := range officialSamples(t) {
		stored, err := gitlab.Strip(body)
		if err != nil {
			t.Fatal(file, err)
		}
		if found := anyAddress.FindString(strings.ReplaceAll(string(stored), "git@", "")); found != "" {
			t.Errorf("%s: the address %s is left in %s", file, found, stored)
		}
		reports, err := gitlab.ParseWebhook("", stored)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		var want []string
		switch file {
		case "webhooks/pipeline.json":
			want = officialPipeline(t, body)
		case "webhooks/job.json", "webhooks/build.json":
			want = officialJob(t, body)
		case "webhooks/deployment.json":
			e := decode[official.DeploymentEvent](t, body)
			want = []string{fmt.Sprintf("pipeline 0 job %d  in  is  on  for %s", e.DeployableID, e.Environment)}
		}
		var got []string
		for i := range reports {
			got = append(got, sentences(&reports[i])...)
		}
		told += len(reports)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-GitLab's client +ours):\n%s", file, diff)
		}
	}
	if told != 4 {
		t.Errorf("%d samples tell of a pipeline or a deployment, want 4", told)
	}
}

func sentences(r *ci.Report) (all []string) {
	p := &r.Pipeline
	if p.RawStatus != "" {
		all = append(all, fmt.Sprintf("%s pipeline %d of %s at %s is %s, change %s of %s", r.Project, p.ID, p.Ref, p.Commit, p.RawStatus, p.ChangeID, p.Trigger))
	}
	if p.Parent != nil {
		all = append(all, fmt.Sprintf("parent %s %d job %s", p.Parent.Project, p.Parent.PipelineID, p.Parent.JobID))
	}
	for i := range r.Jobs {
		a := &r.Jobs[i]
		runner := ""
		if a.Runner != nil {
			runner = a.Runner.Name + " " + strings.Join(a.Runner.Tags, ",")
		}
		all = append(all, fmt.Sprintf("pipeline %d job %s %s in %s is %s on %s for %s", p.ID, a.ID, a.Name, a.Stage, a.RawStatus, runner, a.Environment))
	}
	return all
}

func decode[E any](t *testing.T, body []byte) (e E) {
	t.Helper()
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func officialPipeline(t *testing.T, body []byte) []string {
	t.Helper()
	e := decode[official.PipelineEvent](t, body)
	p := e.ObjectAttributes
	all := []string{
		fmt.Sprintf("%s pipeline %d of %s at %s is %s, change %d of %s", e.Project.PathWithNamespace, p.ID, p.Ref, p.SHA, p.Status, e.MergeRequest.IID, p.Source),
		fmt.Sprintf("parent %s %d job %d", e.SourcePipeline.Project.PathWithNamespace, e.SourcePipeline.PipelineID, e.SourcePipeline.JobID),
	}
	for _, b := range e.Builds {
		runner := ""
		if b.Runner.ID != 0 {
			runner = b.Runner.Description + " " + strings.Join(b.Runner.Tags, ",")
		}
		all = append(all, fmt.Sprintf("pipeline %d job %d %s in %s is %s on %s for %s", p.ID, b.ID, b.Name, b.Stage, b.Status, runner, b.Environment.Name))
	}
	return all
}

func officialJob(t *testing.T, body []byte) (all []string) {
	t.Helper()
	e := decode[official.JobEvent](t, body)
	if e.SourcePipeline.PipelineID != 0 {
		all = append(all, fmt.Sprintf("parent %s %d job %d", e.SourcePipeline.Project.PathWithNamespace, e.SourcePipeline.PipelineID, e.SourcePipeline.JobID))
	}
	return append(all, fmt.Sprintf("pipeline %d job %d %s in %s is %s on %s for %s", e.PipelineID, e.BuildID, e.BuildName, e.BuildStage, e.BuildStatus,
		e.Runner.Description+" "+strings.Join(e.Runner.Tags, ","), e.Environment.Name))
}

// What people see of the samples, in the views.
func TestOfficialSamplesAreShown(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	for _, body := range officialSamples(t) {
		reports, err := gitlab.ParseWebhook("", body)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reports {
			if r.Pipeline.ID == 0 {
				continue // the deployment of a job that no sample tells of
			}
			if _, err := s.Save(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	var shown strings.Builder
	for _, query := range []string{
		`SELECT project, pipeline_id, ref, ref_kind, is_default_branch, change_id, "trigger", state, result, created_at, finished_at, attempts, parent_project, parent_pipeline_id
			FROM ci_pipelines ORDER BY pipeline_id`,
		"SELECT pipeline_id, attempt_key, job, stage, attempt, state, result, allow_failure, manual, started_at, finished_at, queue_time, duration, runner_name, environment, url FROM ci_jobs ORDER BY pipeline_id, attempt_key",
	} {
		for _, row := range storetest.Table(t, s, query) {
			for i, v := range row {
				if f, ok := v.(float64); ok {
					v = strconv.FormatFloat(f, 'f', -1, 64)
				}
				if i > 0 {
					shown.WriteString(" | ")
				}
				if v != nil {
					fmt.Fprint(&shown, v)
				}
			}
			shown.WriteByte('\n')
		}
	}
	golden(t, "testdata/samples.shown.golden", []byte(shown.String()))
}
