package api

import "github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"

// pipelineView is a pipeline in JSON. Null stands for what nobody said.
type pipelineView struct {
	Project              string   `json:"project"`
	PipelineID           int64    `json:"pipeline_id"`
	Provider             *string  `json:"provider"`
	ExternalID           *string  `json:"external_id"`
	Workflow             *string  `json:"workflow"`
	URL                  *string  `json:"url"`
	Ref                  *string  `json:"ref"`
	RefKind              *string  `json:"ref_kind"`
	IsDefaultBranch      bool     `json:"is_default_branch"`
	Commit               *string  `json:"commit"`
	ChangeID             *string  `json:"change_id"`
	Trigger              *string  `json:"trigger"`
	State                string   `json:"state"`
	Result               *string  `json:"result"`
	RawStatus            *string  `json:"raw_status"`
	CreatedAt            *string  `json:"created_at"`
	CreatedAtIsKnown     bool     `json:"created_at_is_known"`
	StartedAt            *string  `json:"started_at"`
	FinishedAt           *string  `json:"finished_at"`
	HasRestarts          bool     `json:"has_restarts"`
	Attempts             int64    `json:"attempts"`
	ReportedDurationS    *float64 `json:"reported_duration_s"`
	ReportedDurationE2eS *float64 `json:"reported_duration_e2e_s"`
}

func viewOf(project string, p *store.Pipeline) pipelineView {
	return pipelineView{
		Project: project, PipelineID: p.ID, Provider: said(p.Provider), ExternalID: said(p.ExternalID), Workflow: said(p.Workflow), URL: said(p.URL),
		Ref: said(p.Ref), RefKind: said(p.RefKind), IsDefaultBranch: p.OnDefaultBranch, Commit: said(p.Commit), ChangeID: said(p.ChangeID),
		Trigger: said(p.Trigger), State: p.State, Result: said(p.Result), RawStatus: said(p.RawStatus),
		CreatedAt: moment(p.CreatedAt), CreatedAtIsKnown: p.CreatedKnown, StartedAt: moment(p.StartedAt), FinishedAt: moment(p.FinishedAt),
		HasRestarts: p.HasRestarts, Attempts: p.Attempts, ReportedDurationS: p.ReportedDurationS, ReportedDurationE2eS: p.ReportedDurationE2eS,
	}
}

// wholeView is a pipeline with all that is known of it.
type wholeView struct {
	pipelineView

	Jobs []attemptView `json:"jobs"` // one entry for each attempt, in the order in which they ran
}

// attemptView is one attempt of a job in JSON.
type attemptView struct {
	Job           string     `json:"job"`
	AttemptKey    string     `json:"attempt_key"`
	Attempt       int64      `json:"attempt"`
	IsRetried     bool       `json:"is_retried"`
	Stage         *string    `json:"stage"`
	Kind          *string    `json:"kind"`
	Phase         *string    `json:"phase"`
	State         *string    `json:"state"`
	Result        *string    `json:"result"`
	RawStatus     *string    `json:"raw_status"`
	FailureReason *string    `json:"failure_reason"`
	AllowFailure  *bool      `json:"allow_failure"`
	Manual        *bool      `json:"manual"`
	CreatedAt     *string    `json:"created_at"`
	StartedAt     *string    `json:"started_at"`
	FinishedAt    *string    `json:"finished_at"`
	QueueS        *float64   `json:"queue_s"`
	DurationS     *float64   `json:"duration_s"`
	RunnerID      *string    `json:"runner_id"`
	RunnerName    *string    `json:"runner_name"`
	Environment   *string    `json:"environment"`
	URL           *string    `json:"url"`
	Needs         []string   `json:"needs"`
	Steps         []stepView `json:"steps"`
}

// stepView is a step in JSON.
type stepView struct {
	Step      string  `json:"step"`
	Source    string  `json:"source"`
	StartedAt *string `json:"started_at"`
	DurationS float64 `json:"duration_s"`
}

func attemptViewOf(a *store.Attempt) attemptView {
	v := attemptView{
		Job: a.Job, AttemptKey: a.Key, Attempt: a.Number, IsRetried: a.IsRetried, Stage: said(a.Stage), Kind: said(a.Kind), Phase: said(a.Phase),
		State: said(a.State), Result: said(a.Result), RawStatus: said(a.RawStatus), FailureReason: said(a.FailureReason),
		AllowFailure: a.AllowFailure, Manual: a.Manual, CreatedAt: moment(a.CreatedAt), StartedAt: moment(a.StartedAt), FinishedAt: moment(a.FinishedAt),
		QueueS: a.QueueS, DurationS: a.RunS, RunnerID: said(a.RunnerID), RunnerName: said(a.RunnerName),
		Environment: said(a.Environment), URL: said(a.URL), Needs: a.Needs, Steps: []stepView{},
	}
	for _, s := range a.Steps {
		v.Steps = append(v.Steps, stepView{s.Name, s.Source, moment(s.StartedAt), s.DurationS})
	}
	return v
}
