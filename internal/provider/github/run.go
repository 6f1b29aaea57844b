package github

import (
	"path"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A runEvent is sent when a run is requested, starts and ends. One that is run
// again keeps its id.
type runEvent struct {
	Workflow struct {
		Name string `json:"name"`
	} `json:"workflow"`
	Run        run        `json:"workflow_run"`
	Repository repository `json:"repository"`
}

func (e *runEvent) report(d Dialect) (ci.Report, bool) {
	r := ci.Report{Project: e.Repository.FullName, Pipeline: e.Run.pipeline(d, &e.Repository)}
	if e.Workflow.Name != "" {
		r.Pipeline.Workflow = e.Workflow.Name
	}
	return r, true
}

type run struct {
	ID           int64       `json:"id"`
	Name         string      `json:"name"` // of the workflow; may be empty
	Path         string      `json:"path"` // of the workflow's file
	Attempt      int64       `json:"run_attempt"`
	Event        string      `json:"event"`
	Status       string      `json:"status"`
	Conclusion   string      `json:"conclusion"`
	HeadBranch   string      `json:"head_branch"` // or a tag
	HeadSHA      string      `json:"head_sha"`
	HeadProject  *repository `json:"head_repository"`
	PullRequests []struct {
		Number int64 `json:"number"`
	} `json:"pull_requests"`
	CreatedAt    instant `json:"created_at"`     // of the first attempt
	RunStartedAt instant `json:"run_started_at"` // of this attempt
	UpdatedAt    instant `json:"updated_at"`
	StartedAt    instant `json:"started_at"`   // only Gitea
	CompletedAt  instant `json:"completed_at"` // only Gitea
	URL          string  `json:"html_url"`
}

func (u *run) pipeline(d Dialect, in *repository) ci.Pipeline {
	m, raw := meaningOf(u.Status, u.Conclusion)
	p := ci.Pipeline{
		ID: u.ID, Workflow: u.workflow(), URL: u.URL, DefaultBranch: in.DefaultBranch, Commit: u.HeadSHA, Trigger: u.Event,
		State: m.state, Result: m.result, RawStatus: raw, CreatedAt: u.CreatedAt.Time, UpdatedAt: u.UpdatedAt.Time,
	}
	u.setRef(&p, d, in)
	// A pipeline starts once. When it was run again its jobs say. Versions of
	// Gitea that do not count the attempts say 0.
	if u.Attempt <= 1 {
		p.StartedAt = u.RunStartedAt.or(u.StartedAt).notBefore(u.CreatedAt.Time)
	}
	// GitHub has no time of the end: nothing changes a run after it.
	if m.state == ci.Finished {
		p.FinishedAt = u.CompletedAt.or(u.UpdatedAt).notBefore(u.CreatedAt.Time)
	}
	return p
}

func (u *run) workflow() string {
	if u.Name != "" || u.Path == "" {
		return u.Name
	}
	file, _, _ := strings.Cut(u.Path, "@")
	return path.Base(file)
}

// setRef says what the run is for. GitHub does not tell a tag from a branch of
// its name, so the kind is said only where something else tells it.
func (u *run) setRef(p *ci.Pipeline, d Dialect, in *repository) {
	p.Ref = u.HeadBranch
	switch {
	case strings.HasPrefix(u.Event, "pull_request"), u.foreign(in):
		p.RefKind = "change"
	case u.Event == "release":
		p.RefKind = "tag"
	case p.Ref != "" && (p.Ref == in.DefaultBranch || u.Event == "schedule" || u.Event == "merge_group"):
		p.RefKind = "branch"
	}
	// Of a push, these are the requests that happen to be open for the branch.
	if p.RefKind == "change" && len(u.PullRequests) == 1 {
		p.ChangeID = text(u.PullRequests[0].Number)
	}
	if d.RefInPath {
		u.setRefFromPath(p)
	}
}

// foreign tells whether the run is for a commit of another repository, whose
// branches may be called like those of this one.
func (u *run) foreign(in *repository) bool {
	return u.HeadProject != nil && u.HeadProject.FullName != "" && u.HeadProject.FullName != in.FullName
}

func (u *run) setRefFromPath(p *ci.Pipeline) {
	_, ref, _ := strings.Cut(u.Path, "@")
	kind, name, _ := strings.Cut(strings.TrimPrefix(ref, "refs/"), "/")
	switch kind {
	case "heads":
		p.Ref, p.RefKind = name, "branch"
	case "tags":
		p.Ref, p.RefKind = name, "tag"
	case "pull":
		p.RefKind = "change"
		if p.ChangeID == "" {
			p.ChangeID, _, _ = strings.Cut(name, "/")
		}
	}
}
