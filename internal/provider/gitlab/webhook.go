// Package gitlab reads what GitLab sends and answers. Only its client touches
// the network.
package gitlab

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// ParseWebhook reads the body of a webhook. An event that tells nothing of a
// pipeline gives no report and no error.
func ParseWebhook(body []byte) ([]ci.Report, error) {
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
	}
	return nil, nil
}

func parse[E any](body []byte, report func(*E) (ci.Report, error)) ([]ci.Report, error) {
	var e E
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	r, err := report(&e)
	if err != nil {
		return nil, err
	}
	r.Provider, r.Source = "gitlab", ci.Webhook
	r.Normalize()
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return []ci.Report{r}, nil
}

type projectInfo struct {
	Path          string `json:"path_with_namespace"`
	DefaultBranch string `json:"default_branch"`
	URL           string `json:"web_url"`
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
	Name string `json:"name"`
}

func (e *environmentInfo) name() string {
	if e == nil {
		return ""
	}
	return e.Name
}

// A pipelineEvent is sent at each change of a pipeline's status. Its builds
// are the latest attempt of each job; retried ones are not in it.
type pipelineEvent struct {
	Pipeline struct {
		ID        id      `json:"id"`
		Name      string  `json:"name"`
		Ref       string  `json:"ref"`
		Tag       bool    `json:"tag"`
		SHA       string  `json:"sha"`
		Source    string  `json:"source"`
		Status    string  `json:"status"`
		CreatedAt instant `json:"created_at"`
		Finished  instant `json:"finished_at"`
		URL       string  `json:"url"`
	} `json:"object_attributes"`
	MergeRequest *struct {
		IID id `json:"iid"`
	} `json:"merge_request"`
	Project projectInfo  `json:"project"`
	Builds  []eventBuild `json:"builds"`
}

type eventBuild struct {
	ID            id               `json:"id"`
	Stage         string           `json:"stage"`
	Name          string           `json:"name"`
	Status        string           `json:"status"`
	CreatedAt     instant          `json:"created_at"`
	StartedAt     instant          `json:"started_at"`
	FinishedAt    instant          `json:"finished_at"`
	Duration      *float64         `json:"duration"`
	Queued        *float64         `json:"queued_duration"`
	FailureReason string           `json:"failure_reason"`
	Manual        *bool            `json:"manual"`
	AllowFailure  *bool            `json:"allow_failure"`
	Runner        *runnerInfo      `json:"runner"`
	Environment   *environmentInfo `json:"environment"`
}

func (e *pipelineEvent) report() (ci.Report, error) {
	p := &e.Pipeline
	state, result := meaningOf(p.Status, "")
	r := ci.Report{Project: e.Project.Path, Pipeline: ci.Pipeline{
		ID: p.ID.number(), Workflow: p.Name, URL: p.URL, Ref: p.Ref, RefKind: refKind(p.Ref, p.Tag, p.Source), DefaultBranch: e.Project.DefaultBranch,
		Commit: p.SHA, Trigger: p.Source, State: state, Result: result, RawStatus: p.Status, CreatedAt: p.CreatedAt.Time,
	}}
	if e.MergeRequest != nil {
		r.Pipeline.ChangeID = string(e.MergeRequest.IID)
	}
	if r.Pipeline.URL == "" && e.Project.URL != "" && p.ID != "" {
		r.Pipeline.URL = e.Project.URL + "/-/pipelines/" + string(p.ID)
	}
	if state == ci.Finished {
		r.Pipeline.FinishedAt = p.Finished.Time
	}
	for i := range e.Builds {
		r.Jobs = append(r.Jobs, e.Builds[i].attempt())
	}
	return r, nil
}

func (b *eventBuild) attempt() ci.Attempt {
	state, result := meaningOf(b.Status, b.FailureReason)
	a := ci.Attempt{
		ID: string(b.ID), Name: b.Name, Stage: b.Stage, State: state, Result: result, RawStatus: b.Status,
		AllowFailure: b.AllowFailure, Manual: b.Manual, CreatedAt: b.CreatedAt.Time, StartedAt: b.StartedAt.Time, FinishedAt: b.FinishedAt.Time,
		QueuedS: seconds(b.Queued), Runner: b.Runner.runner(), Environment: b.Environment.name(),
	}
	if state == ci.Finished {
		a.DurationS = seconds(b.Duration)
		if b.Status == "failed" {
			a.FailureReason = b.FailureReason
		}
	}
	if a.StartedAt.IsZero() {
		a.QueuedS = nil // it grows until the job starts
	}
	return a
}

// seconds leaves out what is no duration.
func seconds(s *float64) *float64 {
	if s == nil || *s < 0 {
		return nil
	}
	return s
}

// refKind tells a merge request's pipeline by its ref or its source.
func refKind(ref string, tag bool, source string) string {
	switch {
	case tag:
		return "tag"
	case source == "merge_request_event", strings.HasPrefix(ref, "refs/merge-requests/"):
		return "change"
	case ref == "":
		return ""
	}
	return "branch"
}

// A jobEvent is sent at each change of a job's status; the only webhook that
// tells of attempts that were retried. Its commit.id is the pipeline's id.
type jobEvent struct {
	PipelineID    id           `json:"pipeline_id"`
	Ref           string       `json:"ref"`
	Tag           bool         `json:"tag"`
	SHA           string       `json:"sha"`
	ID            id           `json:"build_id"`
	Name          string       `json:"build_name"`
	Stage         string       `json:"build_stage"`
	Status        string       `json:"build_status"`
	CreatedAt     instant      `json:"build_created_at"`
	StartedAt     instant      `json:"build_started_at"`
	FinishedAt    instant      `json:"build_finished_at"`
	CreatedISO    instant      `json:"build_created_at_iso"`
	StartedISO    instant      `json:"build_started_at_iso"`
	FinishedISO   instant      `json:"build_finished_at_iso"`
	Duration      *float64     `json:"build_duration"`
	Queued        *float64     `json:"build_queued_duration"`
	AllowFailure  *bool        `json:"build_allow_failure"`
	FailureReason string       `json:"build_failure_reason"`
	Project       *projectInfo `json:"project"`
	ProjectName   string       `json:"project_name"`
	Repository    *struct {
		Homepage string `json:"homepage"`
	} `json:"repository"`
	Runner      *runnerInfo      `json:"runner"`
	Environment *environmentInfo `json:"environment"`
}

func (e *jobEvent) report() (ci.Report, error) {
	r := ci.Report{Pipeline: ci.Pipeline{ID: e.PipelineID.number(), Ref: e.Ref, Commit: e.SHA}}
	if kind := refKind(e.Ref, e.Tag, ""); kind != "branch" { // a merge request's job has its branch as ref
		r.Pipeline.RefKind = kind
	}
	if e.Project != nil {
		r.Project, r.Pipeline.DefaultBranch = e.Project.Path, e.Project.DefaultBranch
	}
	if r.Project == "" && e.Repository != nil { // before GitLab 15.7 the event had no project
		r.Project = pathOf(e.Repository.Homepage)
	}
	b := eventBuild{
		ID: e.ID, Stage: e.Stage, Name: e.Name, Status: e.Status, CreatedAt: either(e.CreatedISO, e.CreatedAt), StartedAt: either(e.StartedISO, e.StartedAt),
		FinishedAt: either(e.FinishedISO, e.FinishedAt), Duration: e.Duration, Queued: e.Queued, FailureReason: e.FailureReason,
		AllowFailure: e.AllowFailure, Runner: e.Runner, Environment: e.Environment,
	}
	r.Jobs = []ci.Attempt{b.attempt()}
	return r, nil
}

func either(a, b instant) instant {
	if a.IsZero() {
		return b
	}
	return a
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
