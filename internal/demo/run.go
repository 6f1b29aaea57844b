package demo

import (
	"slices"
	"strconv"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A run is a pipeline on its way.
type run struct {
	team     *team
	commit   *commit
	pipeline ci.Pipeline
	jobs     []*job
	attempts []*ci.Attempt // in order of creation
}

// begin starts a pipeline of the occasion; b is nil but for a change.
func (t *team) begin(on occasion, b *branch, c *commit) *run {
	now := t.w.clock.now
	r := &run{team: t, commit: c, pipeline: ci.Pipeline{
		ID: t.provider.base + t.w.next(&t.w.pipeline, 40), Workflow: t.workflow, Commit: c.sha, DefaultBranch: "main",
		Ref: "main", RefKind: "branch", Trigger: "push", CreatedAt: now, UpdatedAt: now,
	}}
	switch p := &r.pipeline; on {
	case change:
		p.Ref, p.RefKind, p.ChangeID, p.Trigger = b.name, "change", b.id, t.provider.changed
	case tag:
		p.Ref, p.RefKind = "v1.4."+strconv.Itoa(t.version), "tag"
	case schedule:
		p.Trigger = "schedule"
	case push:
	}
	for i := range t.specs {
		if s := &t.specs[i]; s.on == 0 || s.on&on != 0 {
			r.jobs = append(r.jobs, &job{spec: s, run: r})
		}
	}
	for _, j := range r.jobs {
		j.add()
	}
	t.w.runs = append(t.w.runs, r)
	if on != schedule && t.w.chance(0.015) {
		t.w.clock.after(t.w.between(time.Minute, 8*time.Minute), r.cancel)
	}
	r.advance()
	return r
}

// advance releases the jobs that need wait for nothing any more, skips those that
// wait in vain, and brings the pipeline's own words up to date. Needs come
// first in jobs, so one pass does it.
func (r *run) advance() {
	for _, j := range r.jobs {
		if j.ready || (j.last.State != ci.Queued && j.last.Result != ci.Skip) {
			continue
		}
		switch needs := r.needed(j); {
		case !slices.ContainsFunc(needs, func(n *job) bool { return !n.passed() }):
			j.release()
		case slices.ContainsFunc(needs, (*job).failed):
			j.last.State, j.last.Result = ci.Finished, ci.Skip
		default:
			j.last.State, j.last.Result = ci.Queued, ""
		}
	}
	r.settle()
}

// needed lists the jobs that j waits for.
func (r *run) needed(j *job) []*job {
	var found []*job
	for _, n := range r.jobs {
		if slices.Contains(j.spec.needs, n.spec.name) {
			found = append(found, n)
		}
	}
	return found
}

// settle derives the pipeline's state and result from its jobs. A job that
// waits for a person does not keep a pipeline from finishing.
func (r *run) settle() {
	p := &r.pipeline
	p.UpdatedAt, p.FinishedAt = r.team.w.clock.now, r.team.w.clock.now
	p.State, p.Result = ci.Finished, ci.Success
	for _, j := range r.jobs {
		switch {
		case j.last.State == ci.Queued || j.last.State == ci.Running:
			p.State = ci.Running
		case j.last.Result == ci.Cancellation:
			p.Result = ci.Cancellation
		case j.failed() && j.last.Result != ci.Skip && p.Result == ci.Success:
			p.Result = ci.Failure
		}
	}
	if p.State == ci.Running {
		p.Result, p.FinishedAt = "", time.Time{}
		if p.StartedAt.IsZero() {
			p.State = ci.Queued
		}
	}
}

// cancel stops all that is not finished; of a finished pipeline, nothing.
func (r *run) cancel() {
	if r.pipeline.State == ci.Finished {
		return
	}
	for _, j := range r.jobs {
		switch j.last.State {
		case ci.Running:
			j.finish(ci.Cancellation)
		case ci.Queued, ci.Blocked:
			j.last.State, j.last.Result, j.last.FinishedAt = ci.Finished, ci.Cancellation, r.team.w.clock.now
		case ci.Finished, ci.Unknown:
		}
	}
	r.settle()
}
