package demo

import (
	"fmt"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A provider is how a CI system puts things.
type provider struct {
	name          string
	base          int64  // its numbers begin here
	pipeline, job string // addresses: of a pipeline (project, number), of an attempt (project, number of the pipeline, number)
	changed       string // the trigger of a push to a change
	states        map[ci.State]string
	results       map[ci.Result]string
	reasons       map[ci.Result]string
}

var gitlab = provider{
	name:     "gitlab",
	pipeline: "https://ci.example/%s/-/pipelines/%d",
	job:      "https://ci.example/%[1]s/-/jobs/%[3]s",
	changed:  "merge_request_event",
	states:   map[ci.State]string{ci.Queued: "pending", ci.Blocked: "manual", ci.Running: "running"},
	results: map[ci.Result]string{
		ci.Success: "success", ci.Failure: "failed", ci.Error: "failed", ci.Timeout: "failed",
		ci.Cancellation: "canceled", ci.Skip: "skipped",
	},
	reasons: map[ci.Result]string{
		ci.Failure: "script_failure", ci.Error: "runner_system_failure", ci.Timeout: "job_execution_timeout",
	},
}

var github = provider{
	name:     "github",
	base:     11_400_000_000,
	pipeline: "https://git.ci.example/%s/actions/runs/%d",
	job:      "https://git.ci.example/%s/actions/runs/%d/job/%s",
	changed:  "pull_request",
	states:   map[ci.State]string{ci.Queued: "queued", ci.Blocked: "waiting", ci.Running: "in_progress"},
	results: map[ci.Result]string{
		ci.Success: "success", ci.Failure: "failure", ci.Error: "startup_failure", ci.Timeout: "timed_out",
		ci.Cancellation: "cancelled", ci.Skip: "skipped",
	},
}

// word is what the provider calls a state or, of what is finished, a result.
func (p *provider) word(s ci.State, r ci.Result) string {
	if s == ci.Finished {
		return p.results[r]
	}
	return p.states[s]
}

// report tells of a pipeline as it stands.
func (r *run) report() ci.Report {
	p := r.pipeline
	via := r.team.provider
	p.RawStatus = via.word(p.State, p.Result)
	p.URL = fmt.Sprintf(via.pipeline, r.team.name, p.ID)
	rep := ci.Report{Provider: via.name, Project: r.team.name, Pipeline: p, Source: ci.API}
	for _, a := range r.attempts {
		told := *a
		told.RawStatus = via.word(a.State, a.Result)
		told.FailureReason = via.reasons[a.Result]
		told.URL = fmt.Sprintf(via.job, r.team.name, p.ID, a.ID)
		rep.Jobs = append(rep.Jobs, told)
	}
	return rep
}
