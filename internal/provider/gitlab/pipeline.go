package gitlab

import "github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"

// A pipelineEvent is sent at each change of a pipeline's status. Its builds
// are the latest attempt of each job; retried ones are not in it. Only GitLab
// with a certain feature flag tells of bridges, the jobs that start other
// pipelines.
type pipelineEvent struct {
	Pipeline struct {
		ID        id      `json:"id"`
		Name      string  `json:"name"`
		Ref       string  `json:"ref"`
		Tag       bool    `json:"tag"`
		SHA       string  `json:"sha"`
		Source    string  `json:"source"`
		Status    string  `json:"status"`
		CreatedAt instant `json:"created_at"`
		Finished  instant `json:"finished_at"`
		URL       string  `json:"url"`
	} `json:"object_attributes"`
	MergeRequest *struct {
		IID id `json:"iid"`
	} `json:"merge_request"`
	Project projectInfo     `json:"project"`
	Parent  *sourcePipeline `json:"source_pipeline"`
	Builds  []build         `json:"builds"`
	Bridges []build         `json:"bridges"`
}

func (e *pipelineEvent) report() ci.Report {
	p := &e.Pipeline
	state, result := meaningOf(p.Status, "")
	r := ci.Report{Project: e.Project.Path, Pipeline: ci.Pipeline{
		ID: p.ID.number(), Workflow: p.Name, URL: p.URL, DefaultBranch: e.Project.DefaultBranch,
		Commit: p.SHA, Trigger: p.Source, State: state, Result: result, RawStatus: p.Status, CreatedAt: p.CreatedAt.Time,
		Parent: e.Parent.parent(),
	}}
	e.setRef(&r.Pipeline)
	if r.Pipeline.URL == "" {
		r.Pipeline.URL = e.Project.page("pipelines", p.ID)
	}
	// A pipeline whose job was retried runs again, and still has the time at
	// which it finished first.
	if state == ci.Finished {
		r.Pipeline.FinishedAt = p.Finished.Time
	}
	for i := range e.Builds {
		r.Jobs = append(r.Jobs, e.Builds[i].attempt(&e.Project))
	}
	for i := range e.Bridges {
		a := e.Bridges[i].attempt(&e.Project)
		a.Kind = "bridge"
		r.Jobs = append(r.Jobs, a)
	}
	return r
}

func (e *pipelineEvent) setRef(p *ci.Pipeline) {
	setRef(p, e.Pipeline.Ref, e.Pipeline.Tag, e.Pipeline.Source)
	if e.MergeRequest != nil && e.MergeRequest.IID != "" {
		p.ChangeID = string(e.MergeRequest.IID)
		if p.RefKind != "tag" {
			p.RefKind = "change"
		}
	}
}

// setRef tells what was built, from what GitLab calls the ref.
func setRef(p *ci.Pipeline, ref string, tag bool, source string) {
	number, isChange := changeOf(ref)
	if !isChange {
		p.Ref = ref
	}
	p.ChangeID = number
	switch {
	case tag:
		p.RefKind = "tag"
	case isChange, source == "merge_request_event", source == "external_pull_request_event":
		p.RefKind = "change"
	case p.Ref != "":
		p.RefKind = "branch"
	}
}

// A build is one attempt of a job.
type build struct {
	ID            id               `json:"id"`
	Stage         string           `json:"stage"`
	Name          string           `json:"name"`
	Status        string           `json:"status"`
	CreatedAt     instant          `json:"created_at"`
	StartedAt     instant          `json:"started_at"`
	FinishedAt    instant          `json:"finished_at"`
	Duration      *float64         `json:"duration"`
	Queued        *float64         `json:"queued_duration"`
	FailureReason string           `json:"failure_reason"`
	When          string           `json:"when"`
	Manual        *bool            `json:"manual"`
	AllowFailure  *bool            `json:"allow_failure"`
	Runner        *runnerInfo      `json:"runner"`
	Environment   *environmentInfo `json:"environment"`
}

func (b *build) attempt(project *projectInfo) ci.Attempt {
	state, result := meaningOf(b.Status, b.FailureReason)
	a := ci.Attempt{
		ID: string(b.ID), Name: b.Name, Stage: b.Stage, State: state, Result: result, RawStatus: b.Status, URL: project.page("jobs", b.ID),
		AllowFailure: b.AllowFailure, Manual: b.Manual, CreatedAt: b.CreatedAt.Time, StartedAt: b.StartedAt.Time,
		Runner: b.Runner.runner(), Environment: b.Environment.deployed(),
	}
	if b.When == "delayed" && b.Manual != nil {
		a.Manual = new(false) // GitLab says true of all that does not start at once
	}
	if !a.StartedAt.IsZero() {
		a.QueuedS = seconds(b.Queued) // before, it grows
	}
	if state == ci.Finished {
		a.FinishedAt = b.FinishedAt.Time
		if !a.StartedAt.IsZero() {
			a.DurationS = seconds(b.Duration)
		}
		if b.Status == "failed" { // others may have a reason too, which says nothing
			a.FailureReason = b.FailureReason
		}
	}
	return a
}

// seconds leaves out what is no duration.
func seconds(s *float64) *float64 {
	if s == nil || *s < 0 {
		return nil
	}
	return s
}
