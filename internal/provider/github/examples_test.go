package github_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

const devtools = "../../../web/devtools"

// An example is one of the webhooks that GitHub's own library keeps for its
// tests.
type example struct {
	where, event string
	body         json.RawMessage
}

// examples reads them from the npm package, which is installed for the tests
// and not ours to keep.
func examples(t *testing.T) (all []example) {
	t.Helper()
	files, err := filepath.Glob(devtools + "/node_modules/@octokit/webhooks-examples/*/index.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("the examples are missing: run scripts/test-needs packages")
		}
		t.Skip("the examples are missing: run scripts/test-needs packages")
	}
	for _, file := range files {
		var events []struct {
			Name     string            `json:"name"`
			Examples []json.RawMessage `json:"examples"`
		}
		if err := json.Unmarshal(read(t, file), &events); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			for _, body := range e.Examples {
				all = append(all, example{filepath.Base(filepath.Dir(file)), e.Name, body})
			}
		}
	}
	return all
}

func TestExamples(t *testing.T) {
	t.Parallel()
	all := examples(t)
	for name, test := range map[string]func(*testing.T, []example){
		"are read": areRead, "are stored": areStored, "say the same when stripped": saySame,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, all)
		})
	}
}

// Every example that tells of a pipeline is read, is valid, and says what the
// event says; no other example makes a report or an error.
func areRead(t *testing.T, all []example) {
	t.Helper()
	counts := map[string]int{}
	for _, e := range all {
		counts["all"]++
		reports, err := github.ParseWebhook(e.event, e.body)
		if err != nil {
			t.Errorf("%s %s: %v", e.where, e.event, err)
		}
		for _, r := range reports {
			counts[e.event]++
			sensible(t, e, r)
		}
	}
	want := map[string]int{"all": 726, "workflow_run": 10, "workflow_job": 11, "deployment_status": 11}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("examples mismatch (-want +got):\n%s", diff)
	}
}

// sensible holds a report against a plain reading of its event.
func sensible(t *testing.T, e example, r ci.Report) {
	t.Helper()
	var said struct {
		Run struct {
			ID     int64  `json:"id"`
			Commit string `json:"head_sha"`
			Status string `json:"status"`
		} `json:"workflow_run"`
		Job struct {
			Run    int64             `json:"run_id"`
			Commit string            `json:"head_sha"`
			Steps  []json.RawMessage `json:"steps"`
		} `json:"workflow_job"`
		Repository struct {
			Name   string `json:"full_name"`
			Branch string `json:"default_branch"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(e.body, &said); err != nil {
		t.Fatal(err)
	}
	p := r.Pipeline
	if e.event == "deployment_status" && said.Run.ID == 0 {
		if p.ExternalID == "" || p.Result != ci.Success || !p.CreatedAt.IsZero() || r.Jobs[0].Environment != "production" || r.Project != said.Repository.Name {
			t.Errorf("%s %s: got %+v", e.where, e.event, r)
		}
		return
	}
	if r.Provider != "github" || r.Project != said.Repository.Name || p.DefaultBranch != said.Repository.Branch ||
		p.ID != max(said.Run.ID, said.Job.Run) || p.Commit != said.Run.Commit+said.Job.Commit {
		t.Errorf("%s %s: got %+v of %+v", e.where, e.event, r, said)
	}
	if !strings.HasPrefix(p.URL, "https://github.com/") {
		t.Errorf("%s %s: got URL %q", e.where, e.event, p.URL)
	}
	if e.event != "workflow_job" && (p.State == "" || p.State == ci.Unknown || p.Workflow == "" || p.Trigger == "" || p.CreatedAt.IsZero()) {
		t.Errorf("%s %s: says too little: %+v", e.where, e.event, p)
	}
	if p.State == ci.Finished && (p.FinishedAt.Before(p.CreatedAt) || p.Result == "") {
		t.Errorf("%s %s: finished how and when? %+v", e.where, e.event, p)
	}
	for _, a := range r.Jobs {
		if e.event == "workflow_job" && (a.State == "" || a.State == ci.Unknown || a.RawStatus == "") {
			t.Errorf("%s %s: job without a state: %+v", e.where, e.event, a)
		}
		if a.State == ci.Finished && (a.FinishedAt.Before(a.StartedAt) || a.Runner == nil || len(a.Steps) == 0 || len(a.Steps) > len(said.Job.Steps)) {
			t.Errorf("%s %s: job that finished: %+v", e.where, e.event, a)
		}
		for _, s := range a.Steps {
			if s.Name == "" || s.DurationS < 0 || s.StartedAt.Before(a.StartedAt) {
				t.Errorf("%s %s: step %+v of a job that started %v", e.where, e.event, s, a.StartedAt)
			}
		}
	}
}

// The examples can be stored, and what is shown is what they say together.
func areStored(t *testing.T, all []example) {
	t.Helper()
	s := storetest.Open(t, storetest.SQLite(t))
	for _, e := range all {
		reports, err := github.ParseWebhook(e.event, e.body)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reports {
			if _, err := s.Save(t.Context(), r); err != nil {
				t.Fatalf("%s %s: %v", e.where, e.event, err)
			}
		}
	}
	shown := map[string][]store.Pipeline{}
	projects, err := s.Projects(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range projects {
		if shown[p.Name], err = s.Pipelines(t.Context(), p.ID, nil, 100); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, name := range []string{"octo-org/octo-repo", "octo-org/example-workflow", "Codertocat/Hello-World", "lineville/elastic-machines-testing", "wolfy1339/github-events-schemas"} {
		for _, p := range shown[name] {
			got = append(got, name+" "+p.Workflow+" "+p.State+" "+p.Result+" "+p.Ref)
		}
	}
	// Of those that are unknown only jobs are told, of which none runs: another
	// one may follow.
	want := []string{
		"octo-org/octo-repo test finished success master",
		"octo-org/example-workflow  running  ",
		"Codertocat/Hello-World pages build and deployment running  gh-pages",
		"Codertocat/Hello-World Manually triggered workflow queued  main",
		"Codertocat/Hello-World CodeQL unknown  main",
		"Codertocat/Hello-World deployment finished success master",
		"Codertocat/Hello-World deployment finished success master",
		"lineville/elastic-machines-testing Env Test unknown  main",
		"wolfy1339/github-events-schemas Test running  renovate/got-13.x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pipelines mismatch (-want +got):\n%s", diff)
	}
}

// What is stored of an example says the same as the example.
func saySame(t *testing.T, all []example) {
	t.Helper()
	for _, e := range all {
		if reports, err := github.ParseWebhook(e.event, e.body); err == nil && len(reports) > 0 {
			same(t, e.event, e.body)
		}
	}
}

// The lock file says what is installed, and not from where: everybody has
// their own registry.
func TestLockFileNamesNoRegistry(t *testing.T) {
	t.Parallel()
	lock := read(t, devtools+"/package-lock.json")
	if bytes.Contains(lock, []byte("://")) || bytes.Contains(lock, []byte(`"resolved"`)) {
		t.Error("the lock file names a registry: is web/devtools/.npmrc in force?")
	}
	var packages struct {
		Packages map[string]struct {
			Integrity string `json:"integrity"`
		} `json:"packages"`
	}
	if err := json.Unmarshal(lock, &packages); err != nil {
		t.Fatal(err)
	}
	for name, p := range packages.Packages {
		if name != "" && !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("%s has no SHA-512", name)
		}
	}
}
