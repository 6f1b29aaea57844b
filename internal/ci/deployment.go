package ci

import "time"

// DeploymentWorkflow is the workflow, and what triggered it, of a deployment
// that no job made.
const DeploymentWorkflow = "deployment"

// RolledBack is the raw status of an attempt with an environment that took the
// deployment before it back, which so has failed.
const RolledBack = "rolledback"

// A Deployment is what is told of one that no job of a pipeline made: somebody
// called the CI system's API, or another system deploys.
type Deployment struct {
	Provider, Project string
	ID                string // the same for all that is told of it
	Name              string // of what was deployed; empty: "deployment"
	Environment       string
	Ref, Commit, URL  string
	State             State
	Result            Result
	RawStatus         string
	At                time.Time // when it came into this state
	Source            Source
}

// Report is the deployment as a pipeline of its own with one job. Nobody tells
// its creation, so no question over pipelines counts it: those over deployments
// count jobs that have an environment, and nothing else.
func (d *Deployment) Report() Report {
	id := "deployment/" + d.ID
	a := Attempt{ID: id, Name: d.Name, Environment: d.Environment, State: d.State, Result: d.Result, RawStatus: d.RawStatus, URL: d.URL}
	if a.Name == "" {
		a.Name = "deployment"
	}
	p := Pipeline{
		ExternalID: id, Workflow: DeploymentWorkflow, Trigger: DeploymentWorkflow, Ref: d.Ref, Commit: d.Commit, URL: d.URL,
		State: d.State, Result: d.Result, RawStatus: d.RawStatus, UpdatedAt: d.At,
	}
	if d.State == Running {
		a.StartedAt = d.At
	}
	if d.State == Finished {
		a.FinishedAt, p.FinishedAt = d.At, d.At
	}
	r := Report{Provider: d.Provider, Project: d.Project, Pipeline: p, Jobs: []Attempt{a}, Source: d.Source}
	r.Normalize()
	return r
}
