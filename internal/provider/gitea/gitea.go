// Package gitea reads what Gitea and Forgejo send and answer. Both descend from
// one program and send the same headers. Gitea's events of runs and jobs have
// the shape of GitHub's, and Forgejo's of runs one of their own; Forgejo sends
// none of jobs. It touches no network.
package gitea

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
)

// ParseWebhook reads the body of a webhook; event is what the sender's header
// calls it. An event that tells nothing of a pipeline gives no report and no
// error.
//
// All attempts of a job have one id and one creation in versions of Gitea that
// keep no record of each. So the id of a later one is made, and how long it
// waited is not known.
func ParseWebhook(event string, body []byte) ([]ci.Report, error) {
	if strings.HasPrefix(event, "action_run_") {
		return parseActionRun(body)
	}
	if event == "deployment_status" {
		return nil, nil // neither knows it
	}
	return github.Dialect{Provider: "gitea", OneJobID: true, RefInPath: true}.ParseWebhook(event, body)
}

func parseActionRun(body []byte) ([]ci.Report, error) {
	var e actionEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	r := e.Run.report()
	r.Provider, r.Source = "forgejo", ci.Webhook
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return []ci.Report{r}, nil
}
