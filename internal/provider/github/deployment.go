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
	CheckRun   *checkRun   `json:"check_run"`
	Repository *repository `json:"repository"`
}

// A checkRun of a job has the id of the job.
type checkRun struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

func (e *deploymentEvent) report(d Dialect) (ci.Report, bool) {
	// An older deployment becomes inactive when a newer one succeeds.
	if e.Run == nil || e.Run.ID == 0 || e.Repository == nil || e.Status.State == "inactive" {
		return ci.Report{}, false
	}
	r := ci.Report{Project: e.Repository.FullName, Pipeline: e.Run.pipeline(d, e.Repository)}
	if c := e.CheckRun; c != nil && c.ID > 0 && c.Name != "" {
		r.Jobs = []ci.Attempt{{ID: text(c.ID), Name: clip(c.Name), Environment: e.Deployment.Environment}}
	}
	return r, true
}
