package github

import (
	"strconv"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A jobEvent is sent when a job is queued, waits, starts and ends.
type jobEvent struct {
	Job        job         `json:"workflow_job"`
	Deployment *deployment `json:"deployment"`
	Repository repository  `json:"repository"`
}

type job struct {
	ID           int64    `json:"id"`
	RunID        int64    `json:"run_id"`
	RunAttempt   int64    `json:"run_attempt"`
	Name         string   `json:"name"`
	WorkflowName string   `json:"workflow_name"`
	HeadBranch   string   `json:"head_branch"`
	HeadSHA      string   `json:"head_sha"`
	Status       string   `json:"status"`
	Conclusion   string   `json:"conclusion"`
	CreatedAt    instant  `json:"created_at"`
	StartedAt    instant  `json:"started_at"` // before the start: when it was created
	CompletedAt  instant  `json:"completed_at"`
	URL          string   `json:"html_url"`
	Labels       []string `json:"labels"`
	RunnerID     int64    `json:"runner_id"`
	RunnerName   string   `json:"runner_name"`
	Steps        []step   `json:"steps"`
}

func (e *jobEvent) report(d Dialect) (ci.Report, bool) {
	j := &e.Job
	r := ci.Report{Project: e.Repository.FullName, Pipeline: ci.Pipeline{
		ID: j.RunID, Workflow: j.WorkflowName, Ref: j.HeadBranch, DefaultBranch: e.Repository.DefaultBranch, Commit: j.HeadSHA,
	}}
	// Gitea's runs have another number in their address.
	if d.Provider == "github" && e.Repository.URL != "" && j.RunID > 0 {
		r.Pipeline.URL = e.Repository.URL + "/actions/runs/" + text(j.RunID)
	}
	a := j.attempt(d)
	if e.Deployment != nil {
		a.Environment = e.Deployment.Environment
	}
	r.Jobs = []ci.Attempt{a}
	return r, true
}

func (j *job) attempt(d Dialect) ci.Attempt {
	m, raw := meaningOf(j.Status, j.Conclusion)
	a := ci.Attempt{
		ID: text(j.ID), Name: clip(j.Name), State: m.state, Result: m.result, RawStatus: raw, CreatedAt: j.CreatedAt.Time, URL: j.URL,
	}
	if a.Name == "" {
		a.Name = "job " + a.ID
	}
	if d.OneJobID && j.RunAttempt > 1 && a.ID != "" {
		a.ID += "-" + strconv.FormatInt(j.RunAttempt, 10)
		a.CreatedAt = time.Time{} // it may be that of the first attempt
	}
	if j.ran(m) {
		a.StartedAt = j.StartedAt.Time
		a.Runner = j.runner()
	}
	if m.state == ci.Finished {
		a.FinishedAt = j.CompletedAt.notBefore(instant{a.StartedAt}.or(j.CreatedAt).Time)
	}
	a.Steps = steps(j.Steps, a.StartedAt)
	return a
}

// ran tells whether a runner ever took the job. GitHub gives each job a start,
// also one that is skipped, or cancelled while it waits.
func (j *job) ran(m meaning) bool {
	if m.state == ci.Finished && m.result != ci.Success {
		return j.RunnerID > 0 || j.RunnerName != "" || len(j.Steps) > 0
	}
	return m.state == ci.Finished || m.state == ci.Running
}

// runner is the machine, with the labels that the job asked for.
func (j *job) runner() *ci.Runner {
	if j.RunnerID <= 0 && j.RunnerName == "" {
		return nil
	}
	r := &ci.Runner{ID: text(j.RunnerID), Name: j.RunnerName}
	for _, l := range j.Labels {
		if l != "" {
			r.Tags = append(r.Tags, l)
		}
	}
	return r
}

type step struct {
	Name        string  `json:"name"`
	Status      string  `json:"status"`
	Conclusion  string  `json:"conclusion"`
	Number      int64   `json:"number"`
	StartedAt   instant `json:"started_at"`
	CompletedAt instant `json:"completed_at"`
}

// steps are those that ran and ended; a skipped one would count as one of no
// time. The clock of a step is the runner's: it may say that a step began
// before its job did, or ended before it began.
func steps(all []step, jobStarted time.Time) (ran []ci.Step) {
	for i := range all {
		s := &all[i]
		m, _ := meaningOf(s.Status, s.Conclusion)
		if m.state != ci.Finished || m.result == ci.Skip || s.StartedAt.IsZero() || s.CompletedAt.IsZero() {
			continue
		}
		name := clip(s.Name)
		if name == "" {
			name = "step " + strconv.FormatInt(s.Number, 10)
		}
		ran = append(ran, ci.Step{
			Name:      name,
			StartedAt: s.StartedAt.notBefore(jobStarted),
			DurationS: max(0, s.CompletedAt.Sub(s.StartedAt.Time).Seconds()),
		})
	}
	return ran
}
