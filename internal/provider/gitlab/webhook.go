// Package gitlab reads what GitLab sends and answers. Only its client touches
// the network.
package gitlab

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// ParseWebhook reads the body of a webhook; the event is in it, so what the
// header calls it does not matter. An event that tells nothing of a pipeline
// gives no report and no error.
func ParseWebhook(_ string, body []byte) ([]ci.Report, error) {
	var head struct {
		Kind string `json:"object_kind"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	switch head.Kind {
	case "pipeline":
		return parse(body, (*pipelineEvent).report)
	case "build":
		return parse(body, (*jobEvent).report)
	case "deployment":
		return parseDeployment(body)
	}
	return nil, nil
}

func parse[E any](body []byte, report func(*E) ci.Report) ([]ci.Report, error) {
	var e E
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	r := report(&e)
	r.Provider, r.Source = "gitlab", ci.Webhook
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

type projectInfo struct {
	Path          string `json:"path_with_namespace"`
	DefaultBranch string `json:"default_branch"`
	URL           string `json:"web_url"`
}

// page is the address of one of the project's pages.
func (p *projectInfo) page(kind string, of id) string {
	if p == nil || p.URL == "" || of == "" {
		return ""
	}
	return p.URL + "/-/" + kind + "/" + string(of)
}

// pathOf is the path of a repository's home page: all after the host.
func pathOf(homepage string) string {
	_, rest, ok := strings.Cut(homepage, "://")
	if !ok {
		return ""
	}
	_, path, _ := strings.Cut(rest, "/")
	return strings.Trim(path, "/")
}

type runnerInfo struct {
	ID          id       `json:"id"`
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
}

func (r *runnerInfo) runner() *ci.Runner {
	if r == nil || r.ID == "" {
		return nil
	}
	return &ci.Runner{ID: string(r.ID), Name: r.Description, Tags: r.Tags}
}

type environmentInfo struct {
	Name   string `json:"name"`
	Action string `json:"action"`
}

// deployed is the environment that the job deploys to. A job that stops,
// prepares, verifies or only looks at an environment deploys nothing.
func (e *environmentInfo) deployed() string {
	if e == nil || e.Action != "" && e.Action != "start" {
		return ""
	}
	return e.Name
}

// A sourcePipeline is the pipeline that started this one: its parent, or a
// pipeline of another project.
type sourcePipeline struct {
	Project    *projectInfo `json:"project"`
	PipelineID id           `json:"pipeline_id"`
	JobID      id           `json:"job_id"`
	BridgeID   id           `json:"bridge_id"`
}

func (s *sourcePipeline) parent() *ci.Parent {
	if s == nil || s.Project == nil || s.Project.Path == "" || s.PipelineID == "" {
		return nil
	}
	p := &ci.Parent{Project: s.Project.Path, PipelineID: s.PipelineID.number(), JobID: string(s.JobID)}
	if p.JobID == "" {
		p.JobID = string(s.BridgeID)
	}
	return p
}

// changeOf is the number of the merge request that a ref such as
// refs/merge-requests/12/head names. A pipeline event says the source branch
// in its place.
func changeOf(ref string) (number string, isChange bool) {
	rest, ok := strings.CutPrefix(ref, "refs/merge-requests/")
	number, _, found := strings.Cut(rest, "/")
	if !ok || !found {
		return "", false
	}
	return number, true
}
