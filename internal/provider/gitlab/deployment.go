package gitlab

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A deploymentEvent is sent at each change of a deployment. It names the job
// that deployed and not the job's pipeline.
type deploymentEvent struct {
	ID          id          `json:"deployment_id"`
	Status      string      `json:"status"`
	Changed     instant     `json:"status_changed_at"`
	Job         id          `json:"deployable_id"` // null: no job made it
	Environment string      `json:"environment"`
	Project     projectInfo `json:"project"`
	Ref         string      `json:"ref"`
	ShortSHA    string      `json:"short_sha"`
	CommitURL   string      `json:"commit_url"`
}

// parseDeployment reads what the event tells. Of one that a job made, that is
// to which environment, as in the API's list: the pipeline of the report is
// left for the reader to find (see ci.Report.Pipeline), and the state, which
// the job's events tell with all of its times, is passed over.
func parseDeployment(body []byte) ([]ci.Report, error) {
	var e deploymentEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	if e.Project.Path == "" || e.Environment == "" || e.ID == "" && e.Job == "" {
		return nil, errors.New("the deployment has no project, no environment or no id")
	}
	if e.Job != "" {
		return []ci.Report{{Provider: "gitlab", Project: e.Project.Path, Source: ci.Webhook, Jobs: []ci.Attempt{{ID: string(e.Job), Environment: e.Environment}}}}, nil
	}
	d := ci.Deployment{
		Provider: "gitlab", Project: e.Project.Path, ID: string(e.ID), Environment: e.Environment, Ref: e.Ref, Commit: e.commit(),
		RawStatus: e.Status, At: e.Changed.Time, Source: ci.Webhook,
	}
	d.State, d.Result = meaningOf(e.Status, "")
	r := d.Report()
	r.Pipeline.DefaultBranch = e.Project.DefaultBranch
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return []ci.Report{r}, nil
}

// commit is the whole SHA, which stands only in an address.
func (e *deploymentEvent) commit() string {
	if sha := path.Base(e.CommitURL); len(sha) >= 40 {
		return sha
	}
	return e.ShortSHA
}
