package analytics

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

const (
	maxFindings = 3 // of a project
	// maxChance is the greatest p with which a slow-down is told in a sentence:
	// dozens of metrics are looked at. A step after 17 values or more has less with
	// its first three.
	maxChance = 0.002
)

// Findings are what people should know of the filter's projects, in sentences,
// what costs most time first.
type Findings struct {
	From      Time      `json:"from"`
	To        Time      `json:"to"`
	Items     []Finding `json:"items"`
	Truncated bool      `json:"truncated"` // as in Changes
}

// A Finding is a lasting slow-down: one that the rule found, that is not over,
// and that is hardly chance. What got slower at the same time is one finding, told by what people
// wait for most: the wall time before a phase, a phase before a job, a job
// before a step.
type Finding struct {
	Project  string  `json:"project"`
	Workflow *string `json:"workflow"`
	Sentence string  `json:"sentence"`
	Metric   string  `json:"metric"`
	SinceAt  Time    `json:"since_at"` // creation of the first slow pipeline
	Before   Spread  `json:"before"`
	After    Spread  `json:"after"`
	P        float64 `json:"p"`
	// Job is the largest part of it, and ChangeS what that added: to the mean of
	// the wall time, or else to its own p50. Null: no job is to blame.
	Job     *string  `json:"job"`
	Part    *string  `json:"part"` // run or queue, of the job; retry, blocked, gap
	ChangeS *float64 `json:"change_s"`
	Step    *string  `json:"step"` // of the job, the one that rose most
	// The pipeline with which it began, and its commit.
	FirstPipeline int64   `json:"first_pipeline"`
	Commit        *string `json:"commit"`
	// PerWeek pipelines were slower by SecondsPerWeek together.
	PerWeek        float64 `json:"per_week"`
	SecondsPerWeek float64 `json:"seconds_per_week_s"`
	// Also are the other metrics that got slower at the same time.
	Also []string `json:"also"`
}

// Findings says what got slower and still is, in the filter's window.
func (a *Analytics) Findings(ctx context.Context, f Filter) (Findings, error) {
	_, answer, err := a.News(ctx, f)
	return answer, err
}

// News is Changes and Findings at once: both follow from one reading of the
// same history.
func (a *Analytics) News(ctx context.Context, f Filter) (Changes, Findings, error) {
	changes := Changes{From: Time(f.Window.From), To: Time(f.Window.To), Items: []Change{}}
	answer := Findings{From: changes.From, To: changes.To, Items: []Finding{}}
	err := a.eachHistory(ctx, &f, func(h *history) {
		changes.Truncated = changes.Truncated || h.truncated
		found := h.changes(f.Window.To, nil)
		changes.Items = append(changes.Items, found...)
		answer.Items = append(answer.Items, findings(found, a.now(), f.Zone)...)
	})
	answer.Truncated = changes.Truncated
	slices.SortStableFunc(answer.Items, bySeconds)
	return changes, answer, err
}

func bySeconds(a, b Finding) int { return cmp.Compare(b.SecondsPerWeek, a.SecondsPerWeek) }

// A slowdown is a metric that is slower now.
type slowdown struct {
	*Change
	*Regression

	topic topic
}

// together tells whether two may have one cause: the times in which they began
// meet. That is from the last good value to the one that made the rule fire.
func (s slowdown) together(o slowdown) bool {
	return !s.untilAt.After(time.Time(o.FiredAt)) && !o.untilAt.After(time.Time(s.FiredAt))
}

// Slowdown is the regression that people should know of: that is not over, and
// hardly chance. Of a rise and a further one within it, it is the further one.
// Nil: there is none.
func (c *Change) Slowdown() *Regression {
	for i := len(c.Regressions) - 1; i >= 0; i-- {
		if r := &c.Regressions[i]; r.ClearedAt == nil && r.P < maxChance {
			return r
		}
	}
	return nil
}

// findings groups what is slower in a project.
func findings(changes []Change, now time.Time, zone *time.Location) []Finding {
	var slow []slowdown
	for i := range changes {
		if r := changes[i].Slowdown(); r != nil {
			slow = append(slow, slowdown{&changes[i], r, changes[i].topic})
		}
	}
	// The topics are in order of what heads a finding, so the first of a group
	// is its head.
	slices.SortStableFunc(slow, func(a, b slowdown) int { return cmp.Compare(a.topic.kind, b.topic.kind) })
	var groups [][]slowdown
next:
	for _, one := range slow {
		for i, g := range groups {
			if g[0].topic.workflow == one.topic.workflow && g[0].together(one) {
				groups[i] = append(g, one)
				continue next
			}
		}
		groups = append(groups, []slowdown{one})
	}
	all := make([]Finding, 0, len(groups))
	for _, g := range groups {
		all = append(all, findingOf(g, now, zone))
	}
	slices.SortStableFunc(all, bySeconds)
	return all[:min(len(all), maxFindings)]
}

// findingOf tells of slow-downs that began together; the first is the head.
func findingOf(group []slowdown, now time.Time, zone *time.Location) Finding {
	head := group[0]
	f := Finding{
		Project: head.Project, Workflow: head.Workflow, Metric: head.Metric, SinceAt: head.SinceAt, Before: head.Before, After: head.After, P: head.P,
		FirstPipeline: head.FirstPipeline, Commit: head.Commit, PerWeek: head.PerWeek, SecondsPerWeek: head.severity, Also: []string{},
	}
	for _, one := range group[1:] {
		f.Also = append(f.Also, one.Metric)
		// A pipeline that was slow need not have succeeded: a job of it may tell of
		// an earlier one.
		if time.Time(one.SinceAt).Before(time.Time(f.SinceAt)) {
			f.SinceAt, f.FirstPipeline, f.Commit = one.SinceAt, one.FirstPipeline, one.Commit
		}
	}
	f.blame(group)
	f.Sentence = f.sentence(head.topic, now, zone)
	return f
}

// blame finds the largest part of the change, and the step of its job.
func (f *Finding) blame(group []slowdown) {
	if a := group[0].Attribution; a != nil {
		if i := slices.IndexFunc(a.Parts, func(s Share) bool { return s.ChangeS > 0 }); i >= 0 {
			largest := a.Parts[i]
			f.Job, f.Part, f.ChangeS = largest.Job, &largest.Part, &largest.ChangeS
		}
	} else if job, found := steepest(group, func(t topic) bool { return t.kind == topicJob }); found {
		f.Job, f.Part, f.ChangeS = job.Job, new(PartRun), new(job.rise())
	}
	of := text(f.Job)
	if group[0].topic.kind == topicStep {
		f.Job, of = group[0].Job, group[0].topic.job
	}
	if step, found := steepest(group, func(t topic) bool { return t.kind == topicStep && t.job == of }); found {
		f.Step = step.Step
	}
}

// rise is by how much the median rose, in seconds.
func (s slowdown) rise() float64 { return s.After.P50S - s.Before.P50S }

// steepest is the one that rose most of those that are asked for.
func steepest(group []slowdown, is func(topic) bool) (most slowdown, found bool) {
	for _, one := range group {
		if is(one.topic) && (!found || one.rise() > most.rise()) {
			most, found = one, true
		}
	}
	return most, found
}

// sentence says it in plain words.
func (f *Finding) sentence(head topic, now time.Time, zone *time.Location) string {
	var b strings.Builder
	if head.kind == topicWall {
		b.WriteString("Slower")
	} else {
		b.WriteString(subject(head) + " is slower")
	}
	b.WriteString(" since " + day(time.Time(f.SinceAt), now, zone) + ": p50 went from " + lasting(f.Before.P50S) + " to " + lasting(f.After.P50S) + ".")
	b.WriteString(f.cause(head))
	b.WriteString(" It began with pipeline " + count(f.FirstPipeline))
	if f.Commit != nil {
		b.WriteString(", commit " + short(*f.Commit))
	}
	b.WriteString(".")
	return b.String()
}

// subject names what a finding is about.
func subject(t topic) string {
	switch t.kind {
	case topicTimeTo:
		return "The time to " + t.phase
	case topicEndOf:
		return "The time to the end of " + t.phase
	case topicPhase:
		return "Phase " + t.phase
	case topicJob:
		return t.job
	case topicStep:
		return "Step " + t.step + " of " + t.job
	default:
		return "The pipeline"
	}
}

// cause names the largest part.
func (f *Finding) cause(head topic) string {
	in := ""
	if f.Step != nil && head.kind != topicStep {
		in = ", in its step " + *f.Step
	}
	switch {
	case head.kind == topicStep, f.Part == nil:
		return ""
	case head.kind == topicJob && in == "":
		return ""
	case head.kind == topicJob:
		return " Most of it is its step " + *f.Step + "."
	case *f.Part == PartRun:
		return " The largest part is " + text(f.Job) + " (" + more(*f.ChangeS) + ")" + in + "."
	case *f.Part == PartQueue:
		return " The largest part is that " + text(f.Job) + " waits for a runner (" + more(*f.ChangeS) + ")."
	case *f.Part == PartRetry:
		return " The largest part is attempts that were retried (" + more(*f.ChangeS) + ")."
	case *f.Part == PartBlocked:
		return " The largest part is waiting for people (" + more(*f.ChangeS) + ")."
	}
	return " The largest part is time in which nothing ran or waited for a runner (" + more(*f.ChangeS) + ")."
}
