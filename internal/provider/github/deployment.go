package github

import "github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"

type deployment struct {
	ID          int64  `json:"id"`
	Environment string `json:"environment"`
	Ref         string `json:"ref"`
	SHA         string `json:"sha"`
}

// A deploymentEvent is sent at each change of a deployment. Kept is which job
// deploys to which environment; when that ended, and how, is told by the events
// of the job. One that names no run was made by somebody's call of GitHub's API
// and is kept by itself.
type deploymentEvent struct {
	Status struct {
		State     string  `json:"state"`
		CreatedAt instant `json:"created_at"`
	} `json:"deployment_status"`
	Deployment deployment  `json:"deployment"`
	Run        *run        `json:"workflow_run"`
	Job        *job        `json:"check_run"` // of the job: its id, name, status, conclusion, times
	Repository *repository `json:"repository"`
}

func (e *deploymentEvent) report(d Dialect) (ci.Report, bool) {
	// An older deployment becomes inactive when a newer one succeeds.
	if e.Repository == nil || e.Status.State == "inactive" {
		return ci.Report{}, false
	}
	if e.Run == nil || e.Run.ID == 0 {
		return e.alone(d)
	}
	r := ci.Report{Project: e.Repository.FullName, Pipeline: e.Run.pipeline(d, e.Repository)}
	if j := e.Job; j != nil && j.ID > 0 && j.Name != "" {
		a := j.attempt(d)
		a.Environment, a.URL = e.Deployment.Environment, "" // the check's address is another
		r.Jobs = []ci.Attempt{a}
	}
	return r, true
}

// deploymentStates are what the states of a deployment stand for.
var deploymentStates = map[string]meaning{
	"pending":     {state: ci.Queued},
	"queued":      {state: ci.Queued},
	"waiting":     {state: ci.Blocked},
	"in_progress": {state: ci.Running},
	"success":     {state: ci.Finished, result: ci.Success},
	"failure":     {state: ci.Finished, result: ci.Failure},
	"error":       {state: ci.Finished, result: ci.Error},
}

// alone is a deployment that no job made.
func (e *deploymentEvent) alone(d Dialect) (ci.Report, bool) {
	if e.Deployment.ID < 1 || e.Deployment.Environment == "" {
		return ci.Report{}, false
	}
	m, known := deploymentStates[e.Status.State]
	if !known {
		m.state = ci.Unknown
	}
	told := ci.Deployment{
		Provider: d.Provider, Project: e.Repository.FullName, ID: text(e.Deployment.ID), Environment: e.Deployment.Environment, Ref: e.Deployment.Ref,
		Commit: e.Deployment.SHA, State: m.state, Result: m.result, RawStatus: e.Status.State, At: e.Status.CreatedAt.Time, Source: ci.Webhook,
	}
	r := told.Report()
	r.Pipeline.DefaultBranch = e.Repository.DefaultBranch
	return r, true
}
