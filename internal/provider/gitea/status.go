package gitea

import "github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"

// A meaning is what one of Forgejo's words stands for.
type meaning struct {
	state  ci.State
	result ci.Result
}

// statuses is the one table of the statuses of Forgejo's runs. What is not in
// it is kept as raw status, with the state unknown. Gitea says the words of
// GitHub in place of these.
var statuses = map[string]meaning{
	"waiting":   {ci.Queued, ""},
	"blocked":   {ci.Blocked, ""}, // by the jobs that it needs, or a person must approve it
	"running":   {ci.Running, ""},
	"success":   {ci.Finished, ci.Success},
	"failure":   {ci.Finished, ci.Failure},
	"cancelled": {ci.Finished, ci.Cancellation},
	"skipped":   {ci.Finished, ci.Skip},
}

func meaningOf(status string) meaning {
	m, known := statuses[status]
	if !known && status != "" {
		m.state = ci.Unknown
	}
	return m
}
