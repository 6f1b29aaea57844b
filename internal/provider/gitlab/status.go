package gitlab

import "github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"

// A meaning is what one of GitLab's statuses stands for.
type meaning struct {
	state  ci.State
	result ci.Result
}

// statuses is the one table of GitLab's statuses, of pipelines and of jobs.
// What is not in it is kept as raw status, with the state unknown.
var statuses = map[string]meaning{
	"created":              {ci.Queued, ""},
	"pending":              {ci.Queued, ""},
	"preparing":            {ci.Queued, ""},
	"waiting_for_resource": {ci.Blocked, ""},
	"waiting_for_callback": {ci.Blocked, ""},
	"manual":               {ci.Blocked, ""},
	"scheduled":            {ci.Blocked, ""},
	"blocked":              {ci.Blocked, ""}, // of a deployment
	"running":              {ci.Running, ""},
	"canceling":            {ci.Running, ""},
	"success":              {ci.Finished, ci.Success},
	"failed":               {ci.Finished, ci.Failure},
	"canceled":             {ci.Finished, ci.Cancellation},
	"skipped":              {ci.Finished, ci.Skip},
}

// reasons are the failure reasons that are not the job's own fault.
var reasons = map[string]ci.Result{
	"job_execution_timeout":      ci.Timeout,
	"api_failure":                ci.Error,
	"stuck_or_timeout_failure":   ci.Error, // no runner took it
	"runner_system_failure":      ci.Error,
	"runner_unsupported":         ci.Error,
	"stale_schedule":             ci.Error,
	"archived_failure":           ci.Error,
	"unmet_prerequisites":        ci.Error,
	"scheduler_failure":          ci.Error,
	"data_integrity_failure":     ci.Error,
	"forward_deployment_failure": ci.Error,
	"user_blocked":               ci.Error,
	"project_deleted":            ci.Error,
	"ci_quota_exceeded":          ci.Error,
	"pipeline_loop_detected":     ci.Error,
	"builds_disabled":            ci.Error,
}

func meaningOf(status, reason string) (ci.State, ci.Result) {
	m, known := statuses[status]
	if !known {
		if status == "" {
			return "", ""
		}
		return ci.Unknown, ""
	}
	if r, infrastructure := reasons[reason]; infrastructure && m.result == ci.Failure {
		return m.state, r
	}
	return m.state, m.result
}
