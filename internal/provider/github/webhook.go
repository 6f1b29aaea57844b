// Package github reads what GitHub sends and answers, and what speaks like it.
// Only its client touches the network.
package github

import (
	"encoding/json"
	"fmt"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A Dialect is how a system speaks GitHub's words. GitHub's own is the one with
// nothing but the provider's name.
type Dialect struct {
	// Provider is what reports name as their provider.
	Provider string
	// OneJobID: all attempts of a job may have one id, and run_attempt tells
	// them apart. GitHub gives each attempt an id of its own.
	OneJobID bool
	// RefInPath: the path of a run ends in @ and the ref that it runs for.
	RefInPath bool
}

// ParseWebhook reads the body of a webhook that GitHub sent.
func ParseWebhook(event string, body []byte) ([]ci.Report, error) {
	return Dialect{Provider: "github"}.ParseWebhook(event, body)
}

// ParseWebhook reads the body of a webhook; event is what the sender's header
// calls it. An event that tells nothing of a pipeline gives no report and no
// error.
func (d Dialect) ParseWebhook(event string, body []byte) ([]ci.Report, error) {
	switch event {
	case "workflow_run":
		return parse(body, d, (*runEvent).report)
	case "workflow_job":
		return parse(body, d, (*jobEvent).report)
	case "deployment_status":
		return parse(body, d, (*deploymentEvent).report)
	}
	return nil, nil
}

func parse[E any](body []byte, d Dialect, report func(*E, Dialect) (r ci.Report, tells bool)) ([]ci.Report, error) {
	var e E
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	r, tells := report(&e, d)
	if !tells {
		return nil, nil
	}
	r.Provider, r.Source = d.Provider, ci.Webhook
	if err := r.Validate(); err != nil {
		return nil, err
	}
	for i := range r.Jobs {
		if r.Jobs[i].ID == "" {
			return nil, fmt.Errorf("the job %q has no id", r.Jobs[i].Name)
		}
	}
	return []ci.Report{r}, nil
}

type repository struct {
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
	URL           string `json:"html_url"`
}
