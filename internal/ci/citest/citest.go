// Package citest makes up pipelines and what several sources tell of them, for
// property tests.
package citest

import (
	"slices"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A Truth is what really happened to one pipeline.
type Truth struct {
	Created  time.Time
	End      time.Time // everything had finished
	Attempts []Attempt // in order of their ids
	Parent   *ci.Parent
}

// An Attempt is what really happened to one attempt.
type Attempt struct {
	ID, Name, Stage             string
	Created, Started, Finished  time.Time
	Result                      ci.Result
	Steps                       []ci.Step
	FinalOfItsJob, AllowFailure bool
	Number                      int
}

var (
	start  = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	stages = []string{"build", "test", "deploy"}
	jobs   = map[string][]string{"build": {"build-e2e", "lint"}, "test": {"e2e", "e2e 2", "unit"}, "deploy": {"deploy"}}
)

// DrawTruth makes up a pipeline of a few jobs, some of them retried.
func DrawTruth(t *rapid.T) Truth {
	millis := func(label string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, label)) * time.Millisecond
	}
	truth := Truth{Created: start.Add(millis("created", 1e6))}
	truth.End = truth.Created
	if rapid.Bool().Draw(t, "has a parent") {
		truth.Parent = &ci.Parent{Project: "acme/all", PipelineID: 7, JobID: rapid.SampledFrom([]string{"", "70"}).Draw(t, "parent's job")}
	}
	id := rapid.IntRange(1, 1e6).Draw(t, "first id")
	for _, stage := range stages {
		for _, name := range jobs[stage] {
			tries := rapid.IntRange(0, 3).Draw(t, "attempts of "+name)
			created := truth.Created.Add(millis("wait", 60_000))
			for n := range tries {
				a := Attempt{ID: strconv.Itoa(id), Name: name, Stage: stage, Number: n + 1, FinalOfItsJob: n == tries-1, Created: created}
				a.Started = a.Created.Add(millis("queue", 90_000))
				a.Finished = a.Started.Add(millis("run", 600_000) + time.Millisecond)
				a.Result = rapid.SampledFrom([]ci.Result{ci.Success, ci.Failure, ci.Cancellation}).Draw(t, "result")
				if rapid.Bool().Draw(t, "has steps") {
					a.Steps = []ci.Step{{Name: "up", DurationS: float64(rapid.IntRange(0, 90).Draw(t, "up"))}, {Name: "e2e", DurationS: 1.25}}
				}
				truth.Attempts = append(truth.Attempts, a)
				created = a.Finished.Add(millis("until retry", 30_000))
				if a.Finished.After(truth.End) {
					truth.End = a.Finished
				}
				id++
			}
		}
	}
	return truth
}

// Told is what a source says of the pipeline at an instant: all of it.
func (truth *Truth) Told(at time.Time, source ci.Source) ci.Report {
	see := func(t time.Time) time.Time {
		if t.After(at) {
			return time.Time{}
		}
		if source == ci.Webhook {
			return t.Truncate(time.Second) // as GitLab writes times in webhooks
		}
		return t
	}
	r := ci.Report{Provider: "gitlab", Project: "acme/shop", Source: source}
	r.Pipeline = ci.Pipeline{Ref: "main", CreatedAt: see(truth.Created), State: ci.Running}
	if !at.Before(truth.End) {
		r.Pipeline.State, r.Pipeline.Result, r.Pipeline.FinishedAt = ci.Finished, truth.result(), see(truth.End)
	}
	if source != ci.Push {
		r.Pipeline.Parent = truth.Parent
	}
	if source == ci.API {
		r.Pipeline.UpdatedAt = at
		r.Pipeline.Commit = "b48e3d4"
	}
	for i := range truth.Attempts {
		if a := &truth.Attempts[i]; !a.Created.After(at) {
			r.Jobs = append(r.Jobs, a.told(source, see))
		}
	}
	return r
}

func (truth *Truth) result() ci.Result {
	for _, a := range truth.Attempts {
		if a.FinalOfItsJob && a.Result != ci.Success {
			return ci.Failure
		}
	}
	return ci.Success
}

func (a *Attempt) told(source ci.Source, see func(time.Time) time.Time) ci.Attempt {
	told := ci.Attempt{ID: a.ID, Name: a.Name, State: ci.Queued, StartedAt: see(a.Started), FinishedAt: see(a.Finished)}
	if source != ci.Push {
		told.Stage, told.CreatedAt = a.Stage, see(a.Created)
	}
	if !told.StartedAt.IsZero() {
		told.State = ci.Running
		if source == ci.API {
			told.Runner = &ci.Runner{ID: "7", Name: "r-7", Tags: []string{"docker"}}
			told.QueuedS = new(a.Started.Sub(a.Created).Seconds())
		}
	}
	if !told.FinishedAt.IsZero() {
		told.State, told.Result = ci.Finished, a.Result
		if source == ci.API {
			told.DurationS = new(a.Finished.Sub(a.Started).Seconds())
		}
		if source == ci.Push {
			told.Steps = a.Steps
		}
	}
	return told
}

// Legacy is the report that the original's client posts of the pipeline.
func (truth *Truth) Legacy() ci.Report {
	l := &ci.Legacy{Ref: "main", CreatedAt: truth.Created, DurationS: truth.End.Sub(truth.Created).Truncate(time.Second).Seconds(), HasRestarts: new(false)}
	for _, a := range truth.Attempts {
		e := ci.LegacyEntry{Kind: ci.LegacyJob, Name: a.Name, StartedAt: a.Started, FinishedAt: a.Finished, DurationS: new(a.Finished.Sub(a.Started).Truncate(time.Second).Seconds())}
		switch {
		case a.Stage == "build":
			e = ci.LegacyEntry{Kind: ci.LegacyBuild, Name: a.Name, DurationS: e.DurationS}
		case a.Result == ci.Failure:
			e.Kind = ci.LegacyFailed
			*l.HasRestarts = true
		}
		l.Entries = append(l.Entries, e)
	}
	return ci.Report{Project: "acme/shop", Legacy: l}
}

// DrawMessages makes up what the sources tell of the truth: at different
// times, whole or in part, with at most one legacy report. The last message is
// all of the truth, by the API after the end.
func DrawMessages(t *rapid.T, truth Truth) []ci.Report {
	var all []ci.Report
	span := int(truth.End.Sub(truth.Created) / time.Millisecond)
	for range rapid.IntRange(0, 6).Draw(t, "messages") {
		at := truth.Created.Add(time.Duration(rapid.IntRange(0, span+1000).Draw(t, "at")) * time.Millisecond)
		source := rapid.SampledFrom([]ci.Source{ci.Push, ci.Webhook, ci.API}).Draw(t, "source")
		whole := truth.Told(at, source)
		if rapid.Bool().Draw(t, "split") {
			all = append(all, Split(t, whole)...)
		} else {
			all = append(all, whole)
		}
	}
	if rapid.Bool().Draw(t, "with a legacy report") {
		all = append(all, truth.Legacy())
	}
	return append(all, truth.Told(truth.End.Add(time.Minute), ci.API))
}

// Split tells the same in several messages: the pipeline alone, and its
// attempts a few at a time.
func Split(t *rapid.T, whole ci.Report) []ci.Report {
	head := whole
	head.Jobs = nil
	parts := []ci.Report{head}
	for some := range slices.Chunk(whole.Jobs, rapid.IntRange(1, 3).Draw(t, "jobs a part")) {
		part := ci.Report{Provider: whole.Provider, Project: whole.Project, Source: whole.Source, Jobs: some}
		part.Pipeline.UpdatedAt = whole.Pipeline.UpdatedAt
		parts = append(parts, part)
	}
	return parts
}

// Shuffle returns the messages in any order, some of them more than once.
func Shuffle(t *rapid.T, messages []ci.Report) []ci.Report {
	all := slices.Clone(messages)
	for range rapid.IntRange(0, 3).Draw(t, "repeated") {
		all = append(all, rapid.SampledFrom(messages).Draw(t, "repeat"))
	}
	return rapid.Permutation(all).Draw(t, "order")
}
