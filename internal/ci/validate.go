package ci

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of a report.
const (
	MaxText     = 1024      // bytes of a name, a ref, a project
	MaxURL      = 4096      // bytes of a URL
	MaxEntries  = 50_000    // entries of an array
	MaxDuration = 1e9       // seconds, of any duration
	MaxID       = 1<<63 - 1 // a pipeline's number
)

// MinTime and MaxTime bound every instant of a report.
var (
	MinTime = time.Unix(0, 0).UTC()
	MaxTime = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Normalize fills in what a report implies: the pipeline's number from its
// external id, and the state of what has a result.
func (r *Report) Normalize() {
	p := &r.Pipeline
	if p.ID == 0 && p.ExternalID != "" {
		sum := sha256.Sum256([]byte(p.ExternalID))
		p.ID = int64(binary.BigEndian.Uint64(sum[:8]) >> 1)
	}
	if p.State == "" && p.Result != "" {
		p.State = Finished
	}
	for i := range r.Jobs {
		if a := &r.Jobs[i]; a.State == "" && a.Result != "" {
			a.State = Finished
		}
	}
}

// Validate returns an *InvalidError that lists everything wrong with the
// report, or nil. A valid report fits every column of the store.
func (r *Report) Validate() error {
	v := &validator{}
	v.text("/project", r.Project, MaxText, r.Told == nil) // adopted rows may name none
	v.text("/provider", r.Provider, MaxText, false)
	v.pipeline(&r.Pipeline)
	if r.Told != nil || v.count("/jobs", len(r.Jobs)) { // many messages may have told of more than one may
		for i := range r.Jobs {
			v.element("/jobs", i, func(v *validator, at string) { v.attempt(at, &r.Jobs[i]) })
		}
		v.distinct(r.Jobs)
	}
	if r.Legacy != nil && r.Told == nil { // an adopted one is whatever the original stored
		v.legacy(r.Legacy)
	}
	if r.Told != nil && len(r.Told.Jobs) != len(r.Jobs) {
		v.bad("/ranks/jobs", "must have one entry for each of jobs")
	}
	if len(v.fields) == 0 {
		return nil
	}
	return &InvalidError{Fields: v.fields}
}

type validator struct{ fields []FieldError }

func (v *validator) bad(pointer, reason string) {
	v.fields = append(v.fields, FieldError{pointer, reason})
}

// element looks at an element of an array. Its pointer is put into words only
// if something is wrong with it: nearly all that comes is right.
func (v *validator) element(array string, i int, look func(v *validator, at string)) {
	var probe validator
	if look(&probe, ""); len(probe.fields) > 0 {
		look(v, array+"/"+strconv.Itoa(i))
	}
}

func (v *validator) pipeline(p *Pipeline) {
	if p.ID < 1 {
		v.bad("/pipeline/id", "must be a whole number from 1 to 9223372036854775807, or be left out where external_id is given")
	}
	for _, f := range []struct{ pointer, value string }{
		{"/pipeline/external_id", p.ExternalID},
		{"/pipeline/workflow", p.Workflow},
		{"/pipeline/ref", p.Ref},
		{"/pipeline/ref_kind", p.RefKind},
		{"/pipeline/default_branch", p.DefaultBranch},
		{"/pipeline/commit", p.Commit},
		{"/pipeline/change_id", p.ChangeID},
		{"/pipeline/trigger", p.Trigger},
		{"/pipeline/raw_status", p.RawStatus},
	} {
		v.text(f.pointer, f.value, MaxText, false)
	}
	v.text("/pipeline/url", p.URL, MaxURL, false)
	v.status("/pipeline", p.State, p.Result)
	v.time("/pipeline/created_at", p.CreatedAt)
	v.time("/pipeline/started_at", p.StartedAt)
	v.time("/pipeline/finished_at", p.FinishedAt)
	v.time("/pipeline/updated_at", p.UpdatedAt)
	if up := p.Parent; up != nil {
		v.text("/pipeline/parent/project", up.Project, MaxText, true)
		if up.PipelineID < 1 {
			v.bad("/pipeline/parent/pipeline_id", "must be a whole number from 1 to 9223372036854775807")
		}
		v.text("/pipeline/parent/job_id", up.JobID, MaxText, false)
	}
}

func (v *validator) attempt(at string, a *Attempt) {
	v.text(at+"/name", a.Name, MaxText, true)
	for _, f := range []struct{ name, value string }{
		{"id", a.ID}, {"stage", a.Stage}, {"kind", a.Kind}, {"raw_status", a.RawStatus}, {"failure_reason", a.FailureReason}, {"environment", a.Environment},
	} {
		v.text(at+"/"+f.name, f.value, MaxText, false)
	}
	v.text(at+"/url", a.URL, MaxURL, false)
	v.status(at, a.State, a.Result)
	v.time(at+"/created_at", a.CreatedAt)
	v.time(at+"/started_at", a.StartedAt)
	v.time(at+"/finished_at", a.FinishedAt)
	v.duration(at+"/queued_s", a.QueuedS)
	v.duration(at+"/duration_s", a.DurationS)
	if a.Runner != nil {
		v.text(at+"/runner/id", a.Runner.ID, MaxText, false)
		v.text(at+"/runner/name", a.Runner.Name, MaxText, false)
		v.texts(at+"/runner/tags", a.Runner.Tags)
	}
	v.texts(at+"/needs", a.Needs)
	if v.count(at+"/steps", len(a.Steps)) {
		for i := range a.Steps {
			v.element(at+"/steps", i, func(v *validator, at string) { v.step(at, &a.Steps[i]) })
		}
	}
}

func (v *validator) step(at string, s *Step) {
	v.text(at+"/name", s.Name, MaxText, true)
	v.time(at+"/started_at", s.StartedAt)
	v.duration(at+"/duration_s", &s.DurationS)
	if !slices.Contains(stepSources, s.Source) {
		v.bad(at+"/source", `must be "sections" or "markers", or be left out`)
	}
}

// distinct refuses an id that two attempts of one report have.
func (v *validator) distinct(jobs []Attempt) {
	seen := make(map[string]int, len(jobs))
	for i := range jobs {
		id := jobs[i].ID
		if id == "" {
			continue
		}
		if first, twice := seen[id]; twice {
			v.bad("/jobs/"+strconv.Itoa(i)+"/id", "is the id of /jobs/"+strconv.Itoa(first)+" already")
			continue
		}
		seen[id] = i
	}
}

func (v *validator) legacy(l *Legacy) {
	v.text("/legacy/ref", l.Ref, MaxText, false)
	if l.CreatedAt.IsZero() {
		v.bad("/legacy/created_at", "is missing")
	}
	v.time("/legacy/created_at", l.CreatedAt)
	v.duration("/legacy/duration_s", &l.DurationS)
	v.duration("/legacy/duration_e2e_s", &l.DurationE2eS)
	if len(l.Entries) > 3*MaxEntries {
		v.bad("/legacy/entries", "has more than 150000 entries")
		return
	}
	for i := range l.Entries {
		v.element("/legacy/entries", i, func(v *validator, at string) { v.entry(at, &l.Entries[i]) })
	}
}

func (v *validator) entry(at string, e *LegacyEntry) {
	v.text(at+"/name", e.Name, MaxText, true)
	switch e.Kind {
	case LegacyBuild, LegacyJob, LegacyFailed:
	default:
		v.bad(at+"/kind", `must be "build", "job" or "failed"`)
	}
	v.time(at+"/started_at", e.StartedAt)
	v.time(at+"/finished_at", e.FinishedAt)
	v.duration(at+"/duration_s", e.DurationS)
	v.duration(at+"/up_s", e.UpS)
	v.duration(at+"/e2e_s", e.E2eS)
	v.duration(at+"/pull_s", e.PullS)
	v.duration(at+"/up_without_pull_s", e.UpNoPullS)
	v.duration(at+"/queued_s", e.QueuedS)
	v.text(at+"/runner_id", e.RunnerID, MaxText, false)
}

func (v *validator) text(at, s string, limit int, required bool) {
	switch {
	case s == "" && required:
		v.bad(at, "is missing")
	case len(s) > limit:
		v.bad(at, "is longer than "+strconv.Itoa(limit)+" bytes")
	case !utf8.ValidString(s):
		v.bad(at, "is not valid UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		v.bad(at, "holds a NUL character")
	}
}

func (v *validator) texts(at string, all []string) {
	if !v.count(at, len(all)) {
		return
	}
	for i, s := range all {
		v.text(at+"/"+strconv.Itoa(i), s, MaxText, true)
	}
}

func (v *validator) count(at string, n int) bool {
	if n > MaxEntries {
		v.bad(at, "has more than "+strconv.Itoa(MaxEntries)+" entries")
	}
	return n <= MaxEntries
}

func (v *validator) time(at string, t time.Time) {
	if !t.IsZero() && (t.Before(MinTime) || t.After(MaxTime)) {
		v.bad(at, "must be between 1970 and 2200")
	}
}

func (v *validator) duration(at string, s *float64) {
	if s != nil && (math.IsNaN(*s) || *s < 0 || *s > MaxDuration) {
		v.bad(at, "must be a number of seconds from 0 to 1000000000")
	}
}

func (v *validator) status(at string, s State, r Result) {
	switch s {
	case "", Queued, Blocked, Running, Finished, Unknown:
	default:
		v.bad(at+"/state", `must be "queued", "blocked", "running", "finished" or "unknown"`)
	}
	switch r {
	case "", Success, Failure, Error, Timeout, Cancellation, Skip:
	default:
		v.bad(at+"/result", `must be "success", "failure", "error", "timeout", "cancellation" or "skip"`)
	}
	if r != "" && s != Finished && s != "" {
		v.bad(at+"/result", "is given although the state is not finished")
	}
}
