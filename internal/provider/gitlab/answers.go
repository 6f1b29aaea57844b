package gitlab

import (
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A pipelineAnswer is a pipeline as the API tells of it. Fields that some
// lists and versions leave out are empty.
type pipelineAnswer struct {
	ID         id      `json:"id"`
	Name       string  `json:"name"`
	Ref        string  `json:"ref"`
	Tag        bool    `json:"tag"`
	SHA        string  `json:"sha"`
	Source     string  `json:"source"`
	Status     string  `json:"status"`
	CreatedAt  instant `json:"created_at"`
	StartedAt  instant `json:"started_at"`
	FinishedAt instant `json:"finished_at"`
	UpdatedAt  instant `json:"updated_at"`
	URL        string  `json:"web_url"`
	ProjectID  int64   `json:"project_id"`
}

func (a *pipelineAnswer) report(p *Project) ci.Report {
	state, result := meaningOf(a.Status, "")
	r := ci.Report{Provider: "gitlab", Project: p.Path, Source: ci.API, Pipeline: ci.Pipeline{
		ID: a.ID.number(), Workflow: a.Name, URL: a.URL, DefaultBranch: p.DefaultBranch, Commit: a.SHA, Trigger: a.Source,
		State: state, Result: result, RawStatus: a.Status, CreatedAt: a.CreatedAt.Time, StartedAt: a.StartedAt.Time, UpdatedAt: a.UpdatedAt.Time,
	}}
	setRef(&r.Pipeline, a.Ref, a.Tag, a.Source)
	// A pipeline whose job was retried runs again, and may still have the time
	// at which it finished first.
	if state == ci.Finished {
		r.Pipeline.FinishedAt = a.FinishedAt.Time
	}
	return r
}

// A jobAnswer is an attempt of a job, or of a bridge, as the API tells of it.
type jobAnswer struct {
	build

	URL        string          `json:"web_url"`
	Tags       []string        `json:"tag_list"` // that the job asks of a runner
	Downstream *pipelineAnswer `json:"downstream_pipeline"`
}

func (a *jobAnswer) attempt(p *Project) ci.Attempt {
	t := a.build.attempt(p.info())
	if a.URL != "" {
		t.URL = a.URL
	}
	// The API does not tell the tags of the runner. Those of the job are among
	// them.
	if t.Runner != nil && t.Runner.Tags == nil {
		t.Runner.Tags = a.Tags
	}
	return t
}

// downstream is what the bridge tells of the pipeline that it started: above
// all, who started it, which that one's own answer does not say.
func (a *jobAnswer) downstream(p *Project, pipeline int64) (r ci.Report, found bool) {
	d := a.Downstream
	if d == nil || d.ID == "" {
		return ci.Report{}, false
	}
	other := &Project{Path: pathOfPage(p, d.URL)}
	if d.ProjectID == p.ID || other.Path == p.Path {
		other = p
	}
	if other.Path == "" {
		return ci.Report{}, false
	}
	r = d.report(other)
	if other != p { // of which the default branch is not known
		r.Pipeline.DefaultBranch = ""
	}
	r.Pipeline.Trigger = "" // of a pipeline that is mentioned, not read: see ci.Ranks.ReadWhole
	r.Pipeline.Parent = &ci.Parent{Project: p.Path, PipelineID: pipeline, JobID: string(a.ID)}
	return r, true
}

// pathOfPage is the path of the project of which a page is, on the same
// GitLab: https://gitlab.example.com/acme/other/-/pipelines/12. The GitLab may
// lie beneath a path itself.
func pathOfPage(p *Project, page string) string {
	root, found := strings.CutSuffix(p.URL, p.Path)
	if !found || p.Path == "" {
		return ""
	}
	rest, found := strings.CutPrefix(page, root)
	path, _, isPage := strings.Cut(rest, "/-/")
	if !found || !isPage {
		return ""
	}
	return path
}

// A deploymentAnswer tells to which environment a job deployed, which the
// jobs' own answers do not say, or of a deployment that no job made.
type deploymentAnswer struct {
	ID          id      `json:"id"`
	Status      string  `json:"status"`
	Ref         string  `json:"ref"`
	SHA         string  `json:"sha"`
	FinishedAt  instant `json:"finished_at"`
	UpdatedAt   instant `json:"updated_at"`
	Environment *struct {
		Name string `json:"name"`
	} `json:"environment"`
	Deployable *struct {
		ID       id              `json:"id"`
		Name     string          `json:"name"`
		Pipeline *pipelineAnswer `json:"pipeline"`
	} `json:"deployable"`
}

func (a *deploymentAnswer) report(p *Project) (r ci.Report, found bool) {
	d := a.Deployable
	switch {
	case a.Environment == nil || a.Environment.Name == "":
		return ci.Report{}, false
	case d == nil && a.ID != "":
		return a.alone(p), true
	case d == nil || d.Pipeline == nil || d.Pipeline.ID == "" || d.ID == "" || d.Name == "":
		return ci.Report{}, false
	}
	r = ci.Report{Provider: "gitlab", Project: p.Path, Source: ci.API}
	r.Pipeline = ci.Pipeline{ID: d.Pipeline.ID.number(), CreatedAt: d.Pipeline.CreatedAt.Time}
	r.Jobs = []ci.Attempt{{ID: string(d.ID), Name: d.Name, Environment: a.Environment.Name}}
	return r, true
}

// alone is a deployment that no job made.
func (a *deploymentAnswer) alone(p *Project) ci.Report {
	d := ci.Deployment{
		Provider: "gitlab", Project: p.Path, ID: string(a.ID), Environment: a.Environment.Name, Ref: a.Ref, Commit: a.SHA,
		RawStatus: a.Status, At: a.FinishedAt.or(a.UpdatedAt).Time, Source: ci.API,
	}
	d.State, d.Result = meaningOf(a.Status, "")
	r := d.Report()
	r.Pipeline.DefaultBranch = p.DefaultBranch
	return r
}
