package push_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/push"
)

func lookup(vars map[string]string) push.Lookup {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func TestCurrent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vars map[string]string
		want ci.Report
	}{
		"gitlab": {map[string]string{
			"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/shop", "CI_PIPELINE_ID": "4711", "CI_PIPELINE_URL": "https://git.example/4711", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_SHA": "b48e",
			"CI_COMMIT_REF_NAME": "fix", "CI_MERGE_REQUEST_IID": "12", "CI_PIPELINE_SOURCE": "merge_request_event", "CI_PIPELINE_CREATED_AT": "2026-11-20T10:00:00Z",
			"CI_JOB_ID": "99", "CI_JOB_NAME": "e2e", "CI_JOB_STAGE": "test", "CI_JOB_STARTED_AT": "2026-11-20T10:01:00Z", "CI_RUNNER_ID": "7", "CI_RUNNER_DESCRIPTION": "r7", "CI_RUNNER_TAGS": `["docker"]`,
			"CI_ENVIRONMENT_NAME": "review/12", "CI_JOB_STATUS": "success",
		}, ci.Report{
			Provider: "gitlab", Project: "acme/shop",
			Pipeline: ci.Pipeline{ID: 4711, URL: "https://git.example/4711", DefaultBranch: "main", Commit: "b48e", Ref: "fix", RefKind: "change", ChangeID: "12", Trigger: "merge_request_event", CreatedAt: at("10:00")},
			Jobs:     []ci.Attempt{{ID: "99", Name: "e2e", Stage: "test", StartedAt: at("10:01"), Runner: &ci.Runner{ID: "7", Name: "r7", Tags: []string{"docker"}}, Environment: "review/12", State: ci.Finished, Result: ci.Success, RawStatus: "success"}},
		}},
		"github": {map[string]string{
			"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "12345678901", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_WORKFLOW": "ci", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_SHA": "b48e",
			"GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/tags/v1", "GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1", "GITHUB_JOB": "build", "RUNNER_NAME": "hosted 3",
		}, ci.Report{
			Provider: "github", Project: "acme/shop",
			Pipeline: ci.Pipeline{ID: 12345678901, Workflow: "ci", URL: "https://github.com/acme/shop/actions/runs/12345678901", Commit: "b48e", Ref: "v1", RefKind: "tag", Trigger: "push"},
			Jobs:     []ci.Attempt{{ID: "build/2/hosted 3", Name: "build", Runner: &ci.Runner{Name: "hosted 3"}}},
		}},
		"gitea": {map[string]string{
			"GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "5", "GITHUB_REF": "refs/pull/3/merge", "GITHUB_HEAD_REF": "fix", "GITHUB_JOB": "build",
		}, ci.Report{
			Provider: "gitea", Project: "acme/shop", Pipeline: ci.Pipeline{ID: 5, Ref: "fix", RefKind: "change", ChangeID: "3"},
			Jobs: []ci.Attempt{{ID: "build//", Name: "build"}},
		}},
		"buildkite": {map[string]string{
			"BUILDKITE": "true", "BUILDKITE_REPO": "git@github.com:acme/shop.git", "BUILDKITE_PIPELINE_SLUG": "shop", "BUILDKITE_BUILD_ID": "0190-uuid", "BUILDKITE_BRANCH": "main", "BUILDKITE_PULL_REQUEST": "false",
			"BUILDKITE_JOB_ID": "0191-uuid", "BUILDKITE_LABEL": ":go: test", "BUILDKITE_AGENT_NAME": "a1", "BUILDKITE_COMMAND_EXIT_STATUS": "2",
		}, ci.Report{
			Provider: "buildkite", Project: "acme/shop", Pipeline: ci.Pipeline{ExternalID: "0190-uuid", Workflow: "shop", Ref: "main", RefKind: "branch"},
			Jobs: []ci.Attempt{{ID: "0191-uuid", Name: ":go: test", Runner: &ci.Runner{Name: "a1"}, State: ci.Finished, Result: ci.Failure, RawStatus: "failed"}},
		}},
		"circleci": {map[string]string{
			"CIRCLECI": "true", "CIRCLE_PROJECT_USERNAME": "acme", "CIRCLE_PROJECT_REPONAME": "shop", "CIRCLE_WORKFLOW_ID": "uuid", "CIRCLE_BRANCH": "fix", "CIRCLE_PULL_REQUEST": "https://github.com/acme/shop/pull/9",
			"CIRCLE_SHA1": "b48e", "CIRCLE_JOB": "test", "CIRCLE_BUILD_NUM": "77", "CIRCLE_BUILD_URL": "https://circleci.com/77", "CIRCLE_NODE_INDEX": "1",
		}, ci.Report{
			Provider: "circleci", Project: "acme/shop", Pipeline: ci.Pipeline{ExternalID: "uuid", Ref: "fix", RefKind: "change", ChangeID: "9", Commit: "b48e"},
			Jobs: []ci.Attempt{{ID: "77/1", Name: "test", URL: "https://circleci.com/77"}},
		}},
		"jenkins": {map[string]string{
			"JENKINS_URL": "https://ci.example/", "JOB_NAME": "shop/main", "BUILD_NUMBER": "42", "BUILD_URL": "https://ci.example/42", "GIT_URL": "https://git.example/acme/shop.git", "GIT_BRANCH": "origin/main",
			"GIT_COMMIT": "b48e", "STAGE_NAME": "Test", "NODE_NAME": "n1",
		}, ci.Report{
			Provider: "jenkins", Project: "acme/shop", Pipeline: ci.Pipeline{ExternalID: "shop/main/42", Workflow: "shop/main", URL: "https://ci.example/42", Commit: "b48e", Ref: "main", RefKind: "branch"},
			Jobs: []ci.Attempt{{Name: "Test", Runner: &ci.Runner{Name: "n1"}}},
		}},
	} {
		for _, system := range []string{"auto", name} {
			got, known := push.Current(system, lookup(c.vars))
			if diff := cmp.Diff(c.want, got); diff != "" || !known {
				t.Errorf("%s by %s: known %v (-want +got):\n%s", name, system, known, diff)
			}
			if got.Normalize(); got.Validate() != nil {
				t.Errorf("%s: %v", name, got.Validate())
			}
		}
	}
	if _, known := push.Current("auto", lookup(nil)); known {
		t.Error("a job is known where there is none")
	}
	if diff := cmp.Diff([]string{"buildkite", "circleci", "gitea", "github", "gitlab", "jenkins"}, slices.Sorted(slices.Values(push.Systems()))); diff != "" {
		t.Error(diff)
	}
	if got, known := push.Current("none", lookup(map[string]string{"GITLAB_CI": "true"})); known || !cmp.Equal(got, ci.Report{}) {
		t.Errorf("none: %+v", got)
	}
}

func at(clock string) time.Time {
	t, err := time.Parse(time.RFC3339, "2026-11-20T"+clock+":00Z")
	if err != nil {
		panic(err)
	}
	return t
}

func TestFill(t *testing.T) {
	t.Parallel()
	current := ci.Report{
		Provider: "gitlab", Project: "acme/shop", Pipeline: ci.Pipeline{ID: 7, Ref: "main", State: ci.Running, RawStatus: "running"},
		Jobs: []ci.Attempt{{ID: "99", Name: "e2e", Stage: "test", Steps: []ci.Step{{Name: "up", DurationS: 2}}}},
	}
	steps := []ci.Step{{Name: "up", DurationS: 2}}
	for name, c := range map[string]struct{ in, want ci.Report }{
		"nothing said": {ci.Report{}, current},
		"its own words stay, a status whole": {
			ci.Report{Pipeline: ci.Pipeline{Ref: "fix", Result: ci.Success}, Jobs: []ci.Attempt{{ID: "99", Name: "mine", Steps: []ci.Step{{Name: "first", DurationS: 1}}}}},
			ci.Report{Provider: "gitlab", Project: "acme/shop", Pipeline: ci.Pipeline{ID: 7, Ref: "fix", Result: ci.Success}, Jobs: []ci.Attempt{{ID: "99", Name: "mine", Stage: "test", Steps: []ci.Step{{Name: "first", DurationS: 1}, {Name: "up", DurationS: 2}}}}},
		},
		"another project":  {ci.Report{Project: "acme/money", Pipeline: ci.Pipeline{ID: 7}}, ci.Report{Project: "acme/money", Pipeline: ci.Pipeline{ID: 7}}},
		"another pipeline": {ci.Report{Pipeline: ci.Pipeline{ID: 8}}, ci.Report{Project: "acme/shop", Pipeline: ci.Pipeline{ID: 8}}},
		"another job": {
			ci.Report{Jobs: []ci.Attempt{{ID: "98", Name: "unit"}}},
			ci.Report{Provider: "gitlab", Project: "acme/shop", Pipeline: current.Pipeline, Jobs: []ci.Attempt{{ID: "98", Name: "unit"}, {ID: "99", Name: "e2e", Stage: "test", Steps: steps}}},
		},
	} {
		got := c.in
		push.Fill(&got, &current)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The environment is a stranger's: whatever it holds, nothing panics, and the
// maps of variables stay as they are.
func FuzzCurrent(f *testing.F) {
	f.Add("GITHUB_ACTIONS", "refs/pull/1/merge", "GITHUB_REF", "x")
	f.Add("GITLAB_CI", "1", "CI_RUNNER_TAGS", "[")
	f.Add("JENKINS_URL", "://", "GIT_URL", "git@:")
	f.Fuzz(func(_ *testing.T, a, b, c, d string) {
		vars := map[string]string{a: b, c: d}
		for _, system := range push.Systems() {
			r, _ := push.Current(system, lookup(maps.Clone(vars)))
			r.Normalize()
			_ = r.Validate()
		}
	})
}

// A job has a start and an end where it was marked and said to have ended; what
// the CI system says stays.
func TestTimed(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Date(2026, 11, 20, 10, minute, 0, 0, time.UTC) }
	marked := []ci.Step{{Name: "up", StartedAt: at(1)}, {Name: "e2e", StartedAt: at(2)}}
	for name, c := range map[string]struct {
		job            ci.Attempt
		started, ended time.Time
	}{
		"marked, ended":   {ci.Attempt{Steps: marked, State: ci.Finished}, at(1), at(9)},
		"marked, running": {ci.Attempt{Steps: marked}, at(1), time.Time{}},
		"not marked":      {ci.Attempt{State: ci.Finished}, time.Time{}, at(9)},
		"said":            {ci.Attempt{Steps: marked, State: ci.Finished, StartedAt: at(0), FinishedAt: at(5)}, at(0), at(5)},
	} {
		push.Timed(&c.job, at(9))
		if !c.job.StartedAt.Equal(c.started) || !c.job.FinishedAt.Equal(c.ended) {
			t.Errorf("%s: %v to %v", name, c.job.StartedAt, c.job.FinishedAt)
		}
	}
}
