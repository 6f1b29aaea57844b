package push

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Lookup is the environment of the job.
type Lookup func(name string) (value string, ok bool)

func (l Lookup) get(name string) string {
	value, _ := l(name)
	return value
}

// A system is a CI system whose environment we can read.
type system struct {
	name string
	is   func(Lookup) bool
	read func(Lookup) (ci.Pipeline, ci.Attempt, string)
}

// systems are all of them. Gitea sets GitHub's variables too, so it is first.
var systems = []system{
	{"gitlab", set("GITLAB_CI"), readGitLab},
	{"gitea", set("GITEA_ACTIONS", "FORGEJO_ACTIONS"), readGitHub},
	{"github", set("GITHUB_ACTIONS"), readGitHub},
	{"buildkite", set("BUILDKITE"), readBuildkite},
	{"circleci", set("CIRCLECI"), readCircleCI},
	{"jenkins", set("JENKINS_URL"), readJenkins},
}

func set(names ...string) func(Lookup) bool {
	return func(l Lookup) bool {
		return slices.ContainsFunc(names, func(n string) bool { return l.get(n) != "" })
	}
}

// Systems are the names of the CI systems that Current knows.
func Systems() []string {
	names := make([]string, len(systems))
	for i, s := range systems {
		names[i] = s.name
	}
	return names
}

// Current is what the environment tells of the job that this runs in. System is
// one of Systems, "auto" to find out, or "none". Known tells whether there is
// such a job.
func Current(name string, env Lookup) (r ci.Report, known bool) {
	for _, s := range systems {
		if s.name != name && (name != "auto" || !s.is(env)) {
			continue
		}
		p, job, project := s.read(env)
		r = ci.Report{Provider: s.name, Project: project, Pipeline: p}
		if job.Name != "" {
			r.Jobs = []ci.Attempt{job}
		}
		return r, true
	}
	return ci.Report{}, false
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0
	}
	return n
}

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{} // not said
	}
	return t
}

// runner is nil where nothing is known of it.
func runner(id, name, tags string) *ci.Runner {
	if id == "" && name == "" {
		return nil
	}
	r := &ci.Runner{ID: id, Name: name}
	if json.Unmarshal([]byte(tags), &r.Tags) != nil {
		r.Tags = nil
	}
	return r
}

// Ended sets how a job ended, where a word says so. Nothing is said of one that
// runs: nobody might ever say that it ended.
func Ended(a *ci.Attempt, word string) (known bool) {
	results := map[string]ci.Result{
		"success": ci.Success, "passed": ci.Success, "0": ci.Success, "failed": ci.Failure, "failure": ci.Failure,
		"canceled": ci.Cancellation, "cancelled": ci.Cancellation, "timeout": ci.Timeout, "error": ci.Error, "skipped": ci.Skip,
	}
	if result, known := results[strings.ToLower(word)]; known {
		a.State, a.Result, a.RawStatus = ci.Finished, result, word
		return true
	}
	return false
}

// Timed sets when a job started and ended, where the CI system does not say: at
// its first mark, and now, for it is in the job that somebody says that it ended.
func Timed(a *ci.Attempt, now time.Time) {
	if a.StartedAt.IsZero() && len(a.Steps) > 0 {
		a.StartedAt = a.Steps[0].StartedAt
	}
	if a.State == ci.Finished && a.FinishedAt.IsZero() {
		a.FinishedAt = now.UTC().Truncate(time.Millisecond)
	}
}

// refOf tells a branch, a tag and a change apart.
func refOf(p *ci.Pipeline, branch, tag, change string) {
	switch {
	case change != "" && change != "false":
		p.Ref, p.RefKind, p.ChangeID = branch, "change", change
	case tag != "":
		p.Ref, p.RefKind = tag, "tag"
	case branch != "":
		p.Ref, p.RefKind = branch, "branch"
	}
}

// repository is the path of a clone URL: acme/shop of git@host:acme/shop.git.
func repository(clone string) string {
	path := clone
	if u, err := url.Parse(clone); err == nil && u.Host != "" {
		path = u.Path
	} else if _, after, found := strings.Cut(clone, ":"); found {
		path = after
	}
	return strings.TrimSuffix(strings.Trim(path, "/"), ".git")
}

func readGitLab(env Lookup) (ci.Pipeline, ci.Attempt, string) {
	p := ci.Pipeline{
		ID: number(env.get("CI_PIPELINE_ID")), Workflow: env.get("CI_PIPELINE_NAME"), URL: env.get("CI_PIPELINE_URL"), DefaultBranch: env.get("CI_DEFAULT_BRANCH"),
		Commit: env.get("CI_COMMIT_SHA"), Trigger: env.get("CI_PIPELINE_SOURCE"), CreatedAt: instant(env.get("CI_PIPELINE_CREATED_AT")),
	}
	branch := env.get("CI_COMMIT_REF_NAME")
	if strings.HasPrefix(branch, "refs/merge-requests/") {
		branch = ""
	}
	refOf(&p, branch, env.get("CI_COMMIT_TAG"), env.get("CI_MERGE_REQUEST_IID"))
	a := ci.Attempt{
		ID: env.get("CI_JOB_ID"), Name: env.get("CI_JOB_NAME"), Stage: env.get("CI_JOB_STAGE"), URL: env.get("CI_JOB_URL"), StartedAt: instant(env.get("CI_JOB_STARTED_AT")),
		Runner: runner(env.get("CI_RUNNER_ID"), env.get("CI_RUNNER_DESCRIPTION"), env.get("CI_RUNNER_TAGS")), Environment: env.get("CI_ENVIRONMENT_NAME"),
	}
	Ended(&a, env.get("CI_JOB_STATUS")) // only known in after_script
	return p, a, env.get("CI_PROJECT_PATH")
}

// readGitHub reads also Gitea's and Forgejo's. They do not tell the job's own
// number, so a job is known by its key, its attempt and its runner.
func readGitHub(env Lookup) (ci.Pipeline, ci.Attempt, string) {
	project, run := env.get("GITHUB_REPOSITORY"), env.get("GITHUB_RUN_ID")
	p := ci.Pipeline{ID: number(run), Workflow: env.get("GITHUB_WORKFLOW"), Commit: env.get("GITHUB_SHA"), Trigger: env.get("GITHUB_EVENT_NAME")}
	if server := env.get("GITHUB_SERVER_URL"); server != "" && project != "" && env.get("GITEA_ACTIONS") == "" {
		p.URL = server + "/" + project + "/actions/runs/" + run
	}
	change, isChange := strings.CutPrefix(env.get("GITHUB_REF"), "refs/pull/")
	change, _, _ = strings.Cut(change, "/")
	switch {
	case isChange:
		refOf(&p, env.get("GITHUB_HEAD_REF"), "", change)
	case env.get("GITHUB_REF_TYPE") == "tag":
		refOf(&p, "", env.get("GITHUB_REF_NAME"), "")
	default:
		refOf(&p, env.get("GITHUB_REF_NAME"), "", "")
	}
	a := ci.Attempt{Name: env.get("GITHUB_JOB"), Runner: runner("", env.get("RUNNER_NAME"), "")}
	if a.Name != "" {
		a.ID = strings.Join([]string{a.Name, env.get("GITHUB_RUN_ATTEMPT"), env.get("RUNNER_NAME")}, "/")
	}
	return p, a, project
}

func readBuildkite(env Lookup) (ci.Pipeline, ci.Attempt, string) {
	slug := env.get("BUILDKITE_PIPELINE_SLUG")
	project := repository(env.get("BUILDKITE_REPO"))
	if project == "" {
		project = env.get("BUILDKITE_ORGANIZATION_SLUG") + "/" + slug
	}
	p := ci.Pipeline{
		ExternalID: env.get("BUILDKITE_BUILD_ID"), Workflow: slug, URL: env.get("BUILDKITE_BUILD_URL"), DefaultBranch: env.get("BUILDKITE_PIPELINE_DEFAULT_BRANCH"),
		Commit: env.get("BUILDKITE_COMMIT"), Trigger: env.get("BUILDKITE_SOURCE"),
	}
	refOf(&p, env.get("BUILDKITE_BRANCH"), env.get("BUILDKITE_TAG"), env.get("BUILDKITE_PULL_REQUEST"))
	name := env.get("BUILDKITE_LABEL")
	if name == "" {
		name = env.get("BUILDKITE_STEP_KEY")
	}
	id := env.get("BUILDKITE_JOB_ID")
	if name == "" {
		name = id
	}
	a := ci.Attempt{ID: id, Name: name, Runner: runner(env.get("BUILDKITE_AGENT_ID"), env.get("BUILDKITE_AGENT_NAME"), "")}
	status := env.get("BUILDKITE_COMMAND_EXIT_STATUS") // only known in hooks after the command
	if status != "" && status != "0" {
		status = "failed"
	}
	Ended(&a, status)
	return p, a, project
}

// readCircleCI takes a workflow for the pipeline: its jobs belong together, and
// a workflow that is run again has another id.
func readCircleCI(env Lookup) (ci.Pipeline, ci.Attempt, string) {
	p := ci.Pipeline{ExternalID: env.get("CIRCLE_WORKFLOW_ID"), Commit: env.get("CIRCLE_SHA1")}
	change := env.get("CIRCLE_PR_NUMBER")
	if _, after, found := strings.Cut(env.get("CIRCLE_PULL_REQUEST"), "/pull/"); found && change == "" {
		change = after
	}
	refOf(&p, env.get("CIRCLE_BRANCH"), env.get("CIRCLE_TAG"), change)
	a := ci.Attempt{ID: env.get("CIRCLE_BUILD_NUM"), Name: env.get("CIRCLE_JOB"), URL: env.get("CIRCLE_BUILD_URL")}
	if node := env.get("CIRCLE_NODE_INDEX"); node != "" && node != "0" && a.ID != "" {
		a.ID += "/" + node
	}
	return p, a, env.get("CIRCLE_PROJECT_USERNAME") + "/" + env.get("CIRCLE_PROJECT_REPONAME")
}

// readJenkins takes a build of a Jenkins job for the pipeline, and the stage
// that runs for the job.
func readJenkins(env Lookup) (ci.Pipeline, ci.Attempt, string) {
	name := env.get("JOB_NAME")
	project := repository(env.get("GIT_URL"))
	if project == "" {
		project = name
	}
	p := ci.Pipeline{Workflow: name, URL: env.get("BUILD_URL"), Commit: env.get("GIT_COMMIT")}
	if build := env.get("BUILD_NUMBER"); build != "" {
		p.ExternalID = name + "/" + build
	}
	branch := env.get("BRANCH_NAME")
	if branch == "" {
		branch = strings.TrimPrefix(env.get("GIT_BRANCH"), "origin/")
	}
	if head := env.get("CHANGE_BRANCH"); head != "" {
		branch = head
	}
	refOf(&p, branch, env.get("TAG_NAME"), env.get("CHANGE_ID"))
	a := ci.Attempt{Name: env.get("STAGE_NAME"), Runner: runner("", env.get("NODE_NAME"), "")}
	if a.Name == "" {
		a.Name = name
	}
	return p, a, project
}
