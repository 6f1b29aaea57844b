// Package legacy reads the reports that POST /save_metrics has always taken.
// It only reads: whether a report is new is the store's to say.
package legacy

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Parse reads one report. What it refuses, it refuses with a
// *[ci.InvalidError] that lists all that is wrong, up to 100 problems. Unknown
// fields are passed over; of equal keys the last one counts; null is absent.
func Parse(body []byte) (ci.Report, error) {
	r := &reader{body: bytes.TrimPrefix(body, []byte("\ufeff"))}
	var in report
	r.space()
	isObject := r.object(func(key []byte) { in.field(r, key) })
	switch {
	case isObject:
		in.needs(r)
	case len(r.problems) == 0:
		r.problem("must be an object, not null")
	}
	if r.space(); r.at < len(r.body) {
		r.syntax("something follows the report")
	}
	if len(r.problems) == 0 && !utf8.Valid(body) {
		r.problem("must be UTF-8 throughout")
	}
	if len(r.problems) > 0 {
		return ci.Report{}, &ci.InvalidError{Fields: r.problems}
	}
	return in.report(), nil
}

// fields is a set of keys of an object.
type fields uint16

// The keys of a report.
const (
	pipelineID fields = 1 << iota
	project
	ref
	createdAt
	duration
	durationE2e
	hasRestarts
	jobs
	jobsFailed
	builds
	build
	projectID
	allE2eJobs
)

// A report is what was read so far.
type report struct {
	seen               fields
	pipelineID         int64
	project            string
	said               ci.Legacy
	builds, jobs, fail []ci.LegacyEntry
	build              float64
	hasRestarts        bool
}

// field reads the value of one key.
func (in *report) field(r *reader, key []byte) {
	switch string(key) {
	case "pipeline_id":
		r.field(&in.seen, pipelineID, "pipeline_id", func() (ok bool) { in.pipelineID, ok = r.integer(); return })
	case "project":
		r.field(&in.seen, project, "project", func() (ok bool) { in.project, ok = r.text(); return })
	case "ref":
		r.field(&in.seen, ref, "ref", func() (ok bool) { in.said.Ref, ok = r.text(); return })
	case "created_at":
		r.field(&in.seen, createdAt, "created_at", func() (ok bool) { in.said.CreatedAt, ok = r.instant(); return })
	case "duration":
		r.field(&in.seen, duration, "duration", func() (ok bool) { in.said.DurationS, ok = r.seconds(); return })
	case "duration_e2e":
		r.field(&in.seen, durationE2e, "duration_e2e", func() (ok bool) { in.said.DurationE2eS, ok = r.seconds(); return })
	case "has_restarts":
		r.field(&in.seen, hasRestarts, "has_restarts", func() (ok bool) { in.hasRestarts, ok = r.boolean(); return })
	case "jobs":
		r.field(&in.seen, jobs, "jobs", func() (ok bool) { in.jobs, ok = r.entries(ci.LegacyJob); return })
	case "jobs_failed":
		r.field(&in.seen, jobsFailed, "jobs_failed", func() (ok bool) { in.fail, ok = r.entries(ci.LegacyFailed); return })
	case "builds":
		r.field(&in.seen, builds, "builds", func() (ok bool) { in.builds, ok = r.builds(); return })
	case "build":
		r.field(&in.seen, build, "build", func() (ok bool) { in.build, ok = r.seconds(); return })
	case "project_id":
		r.field(&in.seen, projectID, "project_id", func() (ok bool) { in.said.ProjectNumber, ok = r.integer(); return })
	case "all_e2e_jobs":
		r.field(&in.seen, allE2eJobs, "all_e2e_jobs", func() bool { return r.array(func(int) { r.skip() }) })
	default:
		r.skip()
	}
}

// needs notes the required keys that did not come.
func (in *report) needs(r *reader) {
	r.need(in.seen, pipelineID, "pipeline_id", "is required")
	r.need(in.seen, project, "project", "is required")
	r.need(in.seen, ref, "ref", "is required")
	r.need(in.seen, createdAt, "created_at", "is required")
	r.need(in.seen, duration, "duration", "is required")
	r.need(in.seen, durationE2e, "duration_e2e", "is required")
	r.need(in.seen, hasRestarts, "has_restarts", "is required")
	r.need(in.seen, jobs, "jobs", "is required")
	r.need(in.seen, jobsFailed, "jobs_failed", "is required")
	r.need(in.seen, build|builds, "build", "is required where builds is absent")
}

// report is what was read, in our words.
func (in *report) report() ci.Report {
	if in.seen&builds == 0 {
		in.builds = []ci.LegacyEntry{{Kind: ci.LegacyBuild, Name: "build-e2e", DurationS: &in.build}}
	}
	said := in.said
	said.HasRestarts = &in.hasRestarts
	said.Entries = slices.Concat(in.builds, in.jobs, in.fail)
	return ci.Report{
		Project:  in.project,
		Pipeline: ci.Pipeline{ID: in.pipelineID},
		Legacy:   &said,
		Source:   ci.Push,
	}
}
