package github_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
)

var update = flag.Bool("update", false, "rewrite the .golden files")

// Every testdata/EVENT.*.json is the body of a webhook, and what we make of it
// is the .golden beside it.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, file := range bodies(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			reports, err := github.ParseWebhook(eventOf(file), read(t, file))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(reports, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), string(got)); diff != "" {
				t.Errorf("reports mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func bodies(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	return files
}

func eventOf(file string) string {
	event, _, _ := strings.Cut(filepath.Base(file), ".")
	return event
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// one parses a body that makes one report.
func one(t *testing.T, event, body string) ci.Report {
	t.Helper()
	reports, err := github.ParseWebhook(event, []byte(body))
	if err != nil || len(reports) != 1 {
		t.Fatalf("got %d reports and error %v for %s", len(reports), err, body)
	}
	return reports[0]
}

// run is the body of a workflow_run event with these fields in its run.
func run(fields string) string {
	return `{"workflow_run":{"id":1,` + fields + `},"repository":{"full_name":"acme/shop","default_branch":"main"}}`
}

// job is the body of a workflow_job event with these fields in its job.
func job(fields string) string {
	return `{"workflow_job":{"id":7,"run_id":1,"name":"test",` + fields + `},"repository":{"full_name":"acme/shop"}}`
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, conclusion string // as JSON
		state              ci.State
		result             ci.Result
		raw                string
	}{
		{`"requested"`, `null`, ci.Queued, "", "requested"},
		{`"queued"`, `null`, ci.Queued, "", "queued"},
		{`"waiting"`, `null`, ci.Blocked, "", "waiting"},
		{`"pending"`, `null`, ci.Blocked, "", "pending"},
		{`"in_progress"`, `null`, ci.Running, "", "in_progress"},
		{`"completed"`, `"success"`, ci.Finished, ci.Success, "success"},
		{`"completed"`, `"neutral"`, ci.Finished, ci.Success, "neutral"},
		{`"completed"`, `"failure"`, ci.Finished, ci.Failure, "failure"},
		{`"completed"`, `"timed_out"`, ci.Finished, ci.Timeout, "timed_out"},
		{`"completed"`, `"cancelled"`, ci.Finished, ci.Cancellation, "cancelled"},
		{`"completed"`, `"skipped"`, ci.Finished, ci.Skip, "skipped"},
		{`"completed"`, `"stale"`, ci.Finished, ci.Error, "stale"},
		{`"completed"`, `"startup_failure"`, ci.Finished, ci.Error, "startup_failure"},
		{`"completed"`, `"action_required"`, ci.Blocked, "", "action_required"},
		{`"completed"`, `null`, ci.Finished, "", "completed"},
		{`"completed"`, `"evaporated"`, ci.Finished, "", "evaporated"},
		{`"dreaming"`, `null`, ci.Unknown, "", "dreaming"},
		{`"in_progress"`, `"failure"`, ci.Running, "", "in_progress"},
		{`null`, `null`, "", "", ""},
	} {
		fields := fmt.Sprintf(`"status":%s,"conclusion":%s`, c.status, c.conclusion)
		p := one(t, "workflow_run", run(fields)).Pipeline
		if p.State != c.state || p.Result != c.result || p.RawStatus != c.raw {
			t.Errorf("run with %s: got %q %q %q, want %q %q %q", fields, p.State, p.Result, p.RawStatus, c.state, c.result, c.raw)
		}
		a := one(t, "workflow_job", job(fields)).Jobs[0]
		if a.State != c.state || a.Result != c.result || a.RawStatus != c.raw {
			t.Errorf("job with %s: got %q %q %q, want %q %q %q", fields, a.State, a.Result, a.RawStatus, c.state, c.result, c.raw)
		}
	}
}

// An event of the action "completed" may tell of a run that is queued again.
func TestRunThatIsQueuedAgain(t *testing.T) {
	t.Parallel()
	body := strings.Replace(run(`"status":"queued","conclusion":null,"run_attempt":2,"updated_at":"2026-11-20T12:00:00Z"`), "{", `{"action":"completed",`, 1)
	if p := one(t, "workflow_run", body).Pipeline; p.State != ci.Queued || !p.FinishedAt.IsZero() {
		t.Errorf("got %+v", p)
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, fields      string
		ref, kind, change string
	}{
		{"push to the default branch", `"event":"push","head_branch":"main"`, "main", "branch", ""},
		{"push to a branch or a tag", `"event":"push","head_branch":"v1"`, "v1", "", ""},
		{"push with a request open", `"event":"push","head_branch":"topic","pull_requests":[{"number":3}]`, "topic", "", ""},
		{"pull request", `"event":"pull_request","head_branch":"topic","pull_requests":[{"number":3}]`, "topic", "change", "3"},
		{"pull request of a fork", `"event":"pull_request","head_branch":"main","pull_requests":[]`, "main", "change", ""},
		{"one of several requests", `"event":"pull_request","head_branch":"topic","pull_requests":[{"number":3},{"number":4}]`, "topic", "change", ""},
		{"commit of a fork", `"event":"workflow_run","head_branch":"main","head_repository":{"full_name":"mona/shop"}`, "main", "change", ""},
		{"release", `"event":"release","head_branch":"v1"`, "v1", "tag", ""},
		{"schedule", `"event":"schedule","head_branch":"old"`, "old", "branch", ""},
		{"nothing said", `"event":"push","head_branch":null`, "", "", ""},
	} {
		p := one(t, "workflow_run", run(c.fields)).Pipeline
		if p.Ref != c.ref || p.RefKind != c.kind || p.ChangeID != c.change {
			t.Errorf("%s: got %q %q %q, want %q %q %q", c.name, p.Ref, p.RefKind, p.ChangeID, c.ref, c.kind, c.change)
		}
	}
}

func TestWorkflowNames(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		`"name":"CI","path":".github/workflows/ci.yml"`:       "CI",
		`"name":"","path":".github/workflows/ci.yml"`:         "ci.yml",
		`"name":null,"path":".github/workflows/ci.yml@main"`:  "ci.yml",
		`"name":"","path":""`:                                 "",
		`"name":"pages build","path":"dynamic/pages/build"`:   "pages build",
		`"name":"","path":"dynamic/pages/pages-build@a/b/c@"`: "pages-build",
	} {
		if got := one(t, "workflow_run", run(fields)).Pipeline.Workflow; got != want {
			t.Errorf("%s: got %q, want %q", fields, got, want)
		}
	}
}

// What can be wrong with times is put right: nothing ends before it began.
func TestTimes(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 11, 20, 10, 0, second, 0, time.UTC) }
	p := one(t, "workflow_run", run(`"status":"completed","conclusion":"success","run_attempt":1,"created_at":"2026-11-20T10:00:05Z","run_started_at":"2026-11-20T10:00:03Z","updated_at":"2026-11-20T10:00:01Z"`)).Pipeline
	if !p.StartedAt.Equal(at(5)) || !p.FinishedAt.Equal(at(5)) {
		t.Errorf("run: got start %v, end %v", p.StartedAt, p.FinishedAt)
	}
	a := one(t, "workflow_job", job(`"status":"completed","conclusion":"success","started_at":"2026-11-20T12:00:05+02:00","completed_at":"2026-11-20T10:00:01Z",
		"steps":[{"name":"a","status":"completed","conclusion":"success","started_at":"2019-01-01T00:00:09Z","completed_at":"2019-01-01T00:00:11.5Z"},
		{"name":"b","status":"completed","conclusion":"success","started_at":"2026-11-20T10:00:07Z","completed_at":"2026-11-20T10:00:06Z"}]`)).Jobs[0]
	if !a.StartedAt.Equal(at(5)) || !a.FinishedAt.Equal(at(5)) {
		t.Errorf("job: got start %v, end %v", a.StartedAt, a.FinishedAt)
	}
	want := []ci.Step{{Name: "a", StartedAt: at(5), DurationS: 2.5}, {Name: "b", StartedAt: at(7)}}
	if diff := cmp.Diff(want, a.Steps); diff != "" {
		t.Errorf("steps mismatch (-want +got):\n%s", diff)
	}
}

// The start that GitHub writes into the events of a job that has not started,
// or never did, is none.
func TestStartThatIsNone(t *testing.T) {
	t.Parallel()
	const times = `"created_at":"2026-11-20T10:00:00Z","started_at":"2026-11-20T10:00:00Z","labels":["linux"],`
	for fields, started := range map[string]bool{
		`"status":"queued"`: false,
		`"status":"queued","runner_id":5,"runner_name":"five"`: false,
		`"status":"waiting"`:     false,
		`"status":"in_progress"`: true,
		`"status":"completed","conclusion":"skipped","runner_id":0,"runner_name":""`:       false,
		`"status":"completed","conclusion":"cancelled","runner_id":null`:                   false,
		`"status":"completed","conclusion":"cancelled","runner_id":5`:                      true,
		`"status":"completed","conclusion":"failure","steps":[{"name":"x"}]`:               true,
		`"status":"completed","conclusion":"success"`:                                      true,
		`"status":"completed","conclusion":"action_required","runner_id":5,"steps":[null]`: false,
	} {
		a := one(t, "workflow_job", job(times+fields)).Jobs[0]
		if !a.StartedAt.IsZero() != started {
			t.Errorf("%s: started %v", fields, a.StartedAt)
		}
		if !started && a.Runner != nil {
			t.Errorf("%s: has a runner", fields)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 600) // 1,200 bytes
	a := one(t, "workflow_job", `{"workflow_job":{"id":7,"run_id":1,"name":"","status":"completed","conclusion":"success","runner_name":"r","labels":["","linux"],
		"steps":[{"name":"`+long+`x","status":"completed","started_at":"2026-11-20T10:00:00Z","completed_at":"2026-11-20T10:00:01Z"},
		{"name":"","number":2,"status":"completed","started_at":"2026-11-20T10:00:01Z","completed_at":"2026-11-20T10:00:01Z"}]},"repository":{"full_name":"acme/shop"}}`).Jobs[0]
	if a.Name != "job 7" || a.Steps[0].Name != long[:1024] || a.Steps[1].Name != "step 2" {
		t.Errorf("got names %q, %q, %q", a.Name, a.Steps[0].Name, a.Steps[1].Name)
	}
	if diff := cmp.Diff(&ci.Runner{Name: "r", Tags: []string{"linux"}}, a.Runner); diff != "" {
		t.Errorf("runner mismatch (-want +got):\n%s", diff)
	}
}

func TestNoReport(t *testing.T) {
	t.Parallel()
	for event, body := range map[string]string{
		"ping":       `{"zen":"Design for failure.","hook_id":1}`,
		"push":       `{"ref":"refs/heads/main"}`,
		"deployment": `{"workflow":{},"workflow_run":{"id":1}}`,
		"":           `{}`,
	} {
		if reports, err := github.ParseWebhook(event, []byte(body)); reports != nil || err != nil {
			t.Errorf("%s: got %v, %v", event, reports, err)
		}
	}
	for name, body := range map[string]string{
		"without an id":                `{"deployment_status":{"state":"success"},"deployment":{"environment":"production"},"repository":{"full_name":"acme/shop"}}`,
		"without an environment":       `{"deployment_status":{"state":"success"},"deployment":{"id":1},"workflow_run":null,"check_run":null,"repository":{"full_name":"acme/shop"}}`,
		"that a newer one has ousted":  `{"deployment_status":{"state":"inactive"},"workflow_run":{"id":1},"repository":{"full_name":"acme/shop"}}`,
		"without a repository, or run": `{}`,
	} {
		if reports, err := github.ParseWebhook("deployment_status", []byte(body)); reports != nil || err != nil {
			t.Errorf("deployment %s: got %v, %v", name, reports, err)
		}
	}
}

// A deployment that no run made is kept by itself, with no creation: it is no
// pipeline to count.
func TestDeploymentWithoutARun(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 9, 50, 0, 0, time.UTC)
	for state, want := range map[string]ci.Attempt{
		"queued":      {State: ci.Queued},
		"in_progress": {State: ci.Running, StartedAt: at},
		"success":     {State: ci.Finished, Result: ci.Success, FinishedAt: at},
		"failure":     {State: ci.Finished, Result: ci.Failure, FinishedAt: at},
		"strange":     {State: ci.Unknown},
	} {
		body := `{"deployment_status":{"state":"` + state + `","created_at":"2026-11-20T09:50:00Z"},"deployment":{"id":5,"environment":"production","sha":"abc","ref":"main"},"workflow_run":null,
			"repository":{"full_name":"acme/shop","default_branch":"main"}}`
		want.ID, want.Name, want.Environment, want.RawStatus = "deployment/5", "deployment", "production", state
		r := ci.Report{Provider: "github", Project: "acme/shop", Source: ci.Webhook, Jobs: []ci.Attempt{want}, Pipeline: ci.Pipeline{
			ExternalID: "deployment/5", Workflow: "deployment", Trigger: "deployment", Ref: "main", DefaultBranch: "main", Commit: "abc",
			State: want.State, Result: want.Result, RawStatus: state, UpdatedAt: at, FinishedAt: want.FinishedAt,
		}}
		r.Normalize()
		got, err := github.ParseWebhook("deployment_status", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]ci.Report{r}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{`:  "read the event",
		`[]`: "read the event",
		`{"workflow_job":{"id":1,"run_id":1,"name":"x","started_at":"yesterday"}}`:           "is no time that GitHub writes",
		`{"workflow_job":{"id":1,"run_id":1,"name":"x","started_at":5}}`:                     "a time must be a string",
		`{"workflow_job":{"id":1,"run_id":1,"name":"x"}}`:                                    "/project: is missing",
		`{"workflow_job":{"id":1,"name":"x"},"repository":{"full_name":"a/b"}}`:              "/pipeline/id",
		`{"workflow_job":{"run_id":1,"name":"x"},"repository":{"full_name":"a/b"}}`:          `the job "x" has no id`,
		`{"workflow_job":{"id":-3,"run_id":1,"name":"x"},"repository":{"full_name":"a/b"}}`:  `the job "x" has no id`,
		`{"workflow_job":{"id":1.5,"run_id":1,"name":"x"},"repository":{"full_name":"a/b"}}`: "read the event",
	} {
		reports, err := github.ParseWebhook("workflow_job", []byte(body))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want an error with %q", body, reports, err, want)
		}
	}
}
