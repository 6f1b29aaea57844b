package github

import "github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"

type deployment struct {
	Environment string `json:"environment"`
}

// A deploymentEvent is sent at each change of a deployment. Kept is what it
// tells of a pipeline: which job deploys to which environment. When that ended,
// and how, is told by the events of the job. One that names no run was made by
// somebody's call of GitHub's API and tells of no pipeline.
type deploymentEvent struct {
	Status struct {
		State string `json:"state"`
	} `json:"deployment_status"`
	Deployment deployment  `json:"deployment"`
	Run        *run        `json:"workflow_run"`
	Job        *job        `json:"check_run"` // of the job: its id, name, status, conclusion, times
	Repository *repository `json:"repository"`
}

func (e *deploymentEvent) report(d Dialect) (ci.Report, bool) {
	// An older deployment becomes inactive when a newer one succeeds.
	if e.Run == nil || e.Run.ID == 0 || e.Repository == nil || e.Status.State == "inactive" {
		return ci.Report{}, false
	}
	r := ci.Report{Project: e.Repository.FullName, Pipeline: e.Run.pipeline(d, e.Repository)}
	if j := e.Job; j != nil && j.ID > 0 && j.Name != "" {
		a := j.attempt(d)
		a.Environment, a.URL = e.Deployment.Environment, "" // the check's address is another
		r.Jobs = []ci.Attempt{a}
	}
	return r, true
}
