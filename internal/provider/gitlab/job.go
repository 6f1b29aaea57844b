package gitlab

import "github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"

// A jobEvent is sent at each change of a job's status; the only webhook that
// tells of attempts that were retried. Its commit is the pipeline, id and
// name. What it says of the pipeline's status and times may be newer than what
// it says of the job, so these are passed over. So is retries_count: it counts
// the job's attempts that were retried so far, whichever attempt the event is
// about.
type jobEvent struct {
	PipelineID    id       `json:"pipeline_id"`
	Ref           string   `json:"ref"`
	Tag           bool     `json:"tag"`
	SHA           string   `json:"sha"`
	ID            id       `json:"build_id"`
	Name          string   `json:"build_name"`
	Stage         string   `json:"build_stage"`
	Status        string   `json:"build_status"`
	CreatedAt     instant  `json:"build_created_at"`
	StartedAt     instant  `json:"build_started_at"`
	FinishedAt    instant  `json:"build_finished_at"`
	CreatedISO    instant  `json:"build_created_at_iso"`
	StartedISO    instant  `json:"build_started_at_iso"`
	FinishedISO   instant  `json:"build_finished_at_iso"`
	Duration      *float64 `json:"build_duration"`
	Queued        *float64 `json:"build_queued_duration"`
	AllowFailure  *bool    `json:"build_allow_failure"`
	FailureReason string   `json:"build_failure_reason"`
	Commit        struct {
		Name string `json:"name"` // since 15.8
	} `json:"commit"`
	Project    *projectInfo `json:"project"` // since 15.7
	Repository struct {
		Homepage string `json:"homepage"`
	} `json:"repository"`
	Runner      *runnerInfo      `json:"runner"`
	Environment *environmentInfo `json:"environment"`
	Parent      *sourcePipeline  `json:"source_pipeline"`
}

func (e *jobEvent) report() ci.Report {
	project := e.Project
	if project == nil || project.Path == "" {
		project = &projectInfo{Path: pathOf(e.Repository.Homepage), URL: e.Repository.Homepage}
	}
	r := ci.Report{Project: project.Path, Pipeline: ci.Pipeline{
		ID: e.PipelineID.number(), Workflow: e.Commit.Name, DefaultBranch: project.DefaultBranch, Commit: e.SHA, Parent: e.Parent.parent(),
	}}
	number, isChange := changeOf(e.Ref)
	switch {
	case e.Tag:
		r.Pipeline.Ref, r.Pipeline.RefKind = e.Ref, "tag"
	case isChange:
		r.Pipeline.ChangeID, r.Pipeline.RefKind = number, "change"
	default:
		r.Pipeline.Ref = e.Ref // a branch, or a merge request's source branch
	}
	b := build{
		ID: e.ID, Stage: e.Stage, Name: e.Name, Status: e.Status, CreatedAt: e.CreatedAt.or(e.CreatedISO), StartedAt: e.StartedAt.or(e.StartedISO),
		FinishedAt: e.FinishedAt.or(e.FinishedISO), Duration: e.Duration, Queued: e.Queued, FailureReason: e.FailureReason,
		AllowFailure: e.AllowFailure, Runner: e.Runner, Environment: e.Environment,
	}
	r.Jobs = []ci.Attempt{b.attempt(project)}
	return r
}
