// Package ci is the words: what a CI system tells of its pipelines, and how
// several tellings become one truth. It imports nothing of ours and touches
// neither network nor database.
package ci

import "time"

// A Report is what one message told us of one pipeline. Any part may be
// absent; absent says nothing and erases nothing.
type Report struct {
	// Provider is the kind of CI system, such as "gitlab" or "jenkins".
	Provider string `json:"provider,omitempty"`
	// Project is the repository by full path, such as "acme/shop".
	Project string `json:"project"`
	// Pipeline has no number where a message names one job and not its pipeline,
	// which then has to be found before the report is valid.
	Pipeline Pipeline `json:"pipeline"`
	// Jobs holds one entry for each attempt of each job.
	Jobs []Attempt `json:"jobs,omitempty"`
	// Legacy is the report of POST /save_metrics, as it was said.
	Legacy *Legacy `json:"legacy,omitempty"`
	// Source says by which way the message came; it breaks ties in Merge.
	Source Source `json:"-"`
	// Told, if set, has the ranks of the words of a record that was exported:
	// the report is no message, but what many messages said.
	Told *Told `json:"-"`
}

// A Source is the way by which a report came. The greater one is believed
// when two messages of the same instant differ.
type Source int

// The sources, weakest first.
const (
	Push    Source = 1 + iota // a job or a person sent a native report
	Webhook                   // the CI system called us
	API                       // we asked the CI system
)

// A Pipeline is one execution of a project's CI definition.
type Pipeline struct {
	ID            int64     `json:"id,omitempty"`          // the CI's own number, 1 to 2^63-1
	ExternalID    string    `json:"external_id,omitempty"` // the CI's id where it is no 64-bit number
	Workflow      string    `json:"workflow,omitempty"`    // the definition's name
	URL           string    `json:"url,omitempty"`
	Ref           string    `json:"ref,omitempty"`
	RefKind       string    `json:"ref_kind,omitempty"` // branch, tag or change
	DefaultBranch string    `json:"default_branch,omitempty"`
	Commit        string    `json:"commit,omitempty"`
	ChangeID      string    `json:"change_id,omitempty"`
	Trigger       string    `json:"trigger,omitempty"`
	State         State     `json:"state,omitempty"`
	Result        Result    `json:"result,omitempty"`
	RawStatus     string    `json:"raw_status,omitempty"` // the provider's own word
	CreatedAt     time.Time `json:"created_at,omitzero"`
	StartedAt     time.Time `json:"started_at,omitzero"`
	FinishedAt    time.Time `json:"finished_at,omitzero"`
	UpdatedAt     time.Time `json:"updated_at,omitzero"` // when the CI last changed it
	Parent        *Parent   `json:"parent,omitempty"`    // the pipeline that started it; nil: none, or not said
}

// A Parent is the pipeline that started another one, maybe in another project,
// and the job of it that did.
type Parent struct {
	Project    string `json:"project"`
	PipelineID int64  `json:"pipeline_id"`
	JobID      string `json:"job_id,omitempty"`
}

// An Attempt is one execution of a job; a retry is another attempt.
type Attempt struct {
	ID            string    `json:"id,omitempty"` // the CI's id of this attempt
	Name          string    `json:"name"`         // the job's name
	Stage         string    `json:"stage,omitempty"`
	Kind          string    `json:"kind,omitempty"` // "" for a job, "bridge" for one that starts another pipeline
	State         State     `json:"state,omitempty"`
	Result        Result    `json:"result,omitempty"`
	RawStatus     string    `json:"raw_status,omitempty"`
	FailureReason string    `json:"failure_reason,omitempty"`
	AllowFailure  *bool     `json:"allow_failure,omitempty"`
	Manual        *bool     `json:"manual,omitempty"` // a person started it
	CreatedAt     time.Time `json:"created_at,omitzero"`
	QueuedS       *float64  `json:"queued_s,omitempty"` // seconds it waited for a runner
	StartedAt     time.Time `json:"started_at,omitzero"`
	FinishedAt    time.Time `json:"finished_at,omitzero"`
	DurationS     *float64  `json:"duration_s,omitempty"` // seconds it ran, as the provider says
	Runner        *Runner   `json:"runner,omitempty"`
	Environment   string    `json:"environment,omitempty"`
	Needs         []string  `json:"needs,omitempty"` // names of the jobs it waited for
	URL           string    `json:"url,omitempty"`
	Steps         []Step    `json:"steps,omitempty"`
}

// A Runner is the machine that ran an attempt.
type Runner struct {
	ID   string   `json:"id,omitempty"`
	Name string   `json:"name,omitempty"`
	Tags []string `json:"tags,omitempty"`
}

// A Step is a named, timed part of one attempt.
type Step struct {
	Name string `json:"name"`
	// Source is where the step was read: "" in a report, "sections" of a job's
	// log, or "markers" in it. Each source's steps are kept apart.
	Source    StepSource `json:"source,omitempty"`
	StartedAt time.Time  `json:"started_at,omitzero"`
	DurationS float64    `json:"duration_s"`
}

// A StepSource is where steps were read.
type StepSource string

// The sources of steps.
const (
	StepsReported StepSource = ""
	StepsSections StepSource = "sections"
	StepsMarkers  StepSource = "markers"
)

// Legacy is a report of POST /save_metrics. Durations are seconds, kept as
// they were posted.
type Legacy struct {
	Ref          string    `json:"ref,omitempty"` // absent only in adopted rows
	CreatedAt    time.Time `json:"created_at"`
	DurationS    float64   `json:"duration_s"`     // creation of the pipeline to the end of its last e2e job
	DurationE2eS float64   `json:"duration_e2e_s"` // start of the first to the end of the last e2e job
	HasRestarts  *bool     `json:"has_restarts,omitempty"`
	// OnDefaultBranch is set in adopted rows alone: the old store kept no ref.
	OnDefaultBranch *bool         `json:"on_default_branch,omitempty"`
	ProjectNumber   int64         `json:"project_number,omitempty"` // the CI's own number of the project
	Entries         []LegacyEntry `json:"entries,omitempty"`
}

// A LegacyEntry is one entry of the arrays builds, jobs and jobs_failed.
type LegacyEntry struct {
	Kind       LegacyKind `json:"kind"`
	Name       string     `json:"name"`
	DurationS  *float64   `json:"duration_s,omitempty"` // null only in adopted rows
	StartedAt  time.Time  `json:"started_at,omitzero"`
	FinishedAt time.Time  `json:"finished_at,omitzero"`
	UpS        *float64   `json:"up_s,omitempty"`
	E2eS       *float64   `json:"e2e_s,omitempty"`
	PullS      *float64   `json:"pull_s,omitempty"`
	UpNoPullS  *float64   `json:"up_without_pull_s,omitempty"`
	// QueuedS and RunnerID are set in adopted rows alone: a later client told
	// them beside the report.
	QueuedS  *float64 `json:"queued_s,omitempty"`
	RunnerID string   `json:"runner_id,omitempty"`
}

// A LegacyKind says in which array of the report an entry stood.
type LegacyKind string

// The arrays of a legacy report.
const (
	LegacyBuild  LegacyKind = "build"
	LegacyJob    LegacyKind = "job"
	LegacyFailed LegacyKind = "failed"
)

// A State is where a pipeline or an attempt is on its way.
type State string

// The states. An empty state is one that was not said.
const (
	Queued   State = "queued"
	Blocked  State = "blocked" // a manual gate, a delay, a resource
	Running  State = "running"
	Finished State = "finished"
	Unknown  State = "unknown"
)

// A Result is how something finished. An empty result is one that was not
// said; an allowed failure is a Failure with AllowFailure set.
type Result string

// The results.
const (
	Success      Result = "success"
	Failure      Result = "failure"
	Error        Result = "error"
	Timeout      Result = "timeout"
	Cancellation Result = "cancellation"
	Skip         Result = "skip"
)
