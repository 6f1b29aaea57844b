package github

import "github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"

// A meaning is what one of GitHub's words stands for.
type meaning struct {
	state  ci.State
	result ci.Result
}

// completed is the one status that has a conclusion.
const completed = "completed"

// statuses is the one table of GitHub's statuses, and conclusions that of its
// conclusions: of runs, of jobs and of steps. What is in neither is kept as raw
// status: such a status is an unknown state, and such a conclusion says no more
// than that it is the end.
var (
	statuses = map[string]meaning{
		"requested":   {ci.Queued, ""},
		"queued":      {ci.Queued, ""},
		"waiting":     {ci.Blocked, ""}, // for the rules of an environment
		"pending":     {ci.Blocked, ""}, // for others of its concurrency group
		"in_progress": {ci.Running, ""},
		completed:     {ci.Finished, ""},
	}
	conclusions = map[string]meaning{
		"success":         {ci.Finished, ci.Success},
		"neutral":         {ci.Finished, ci.Success},
		"failure":         {ci.Finished, ci.Failure},
		"timed_out":       {ci.Finished, ci.Timeout},
		"cancelled":       {ci.Finished, ci.Cancellation},
		"skipped":         {ci.Finished, ci.Skip},
		"stale":           {ci.Finished, ci.Error}, // GitHub gave it up after weeks
		"startup_failure": {ci.Finished, ci.Error},
		"action_required": {ci.Blocked, ""}, // a person must approve it before it runs
	}
)

// meaningOf reads a status and a conclusion, of which either may be missing.
// The conclusion counts only beside the status "completed": an event of the
// action "completed" may tell of a run that is queued again by now.
func meaningOf(status, conclusion string) (m meaning, raw string) {
	if status == completed && conclusion != "" {
		if m, known := conclusions[conclusion]; known {
			return m, conclusion
		}
		return statuses[completed], conclusion
	}
	m, known := statuses[status]
	if !known && status != "" {
		m.state = ci.Unknown
	}
	return m, status
}
