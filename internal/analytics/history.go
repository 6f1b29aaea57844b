package analytics

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxHistory is how many pipelines of a project are looked at for changes, and
// on a side of a comparison. Of more the newest are.
const maxHistory = 20_000

// readHistory reads what is watched of a project.
func readHistory(ctx context.Context, read *store.Reading, filter *Filter, p project) (*history, error) {
	f := *filter
	f.Results = nil // only what went well is looked at
	s := &scope{&f, []project{p}}
	h := &history{project: p, pipelines: map[int64]*moment{}, series: map[topic]*series{}, paths: newPaths()}
	w, err := s.historyPipelines(ctx, read, h)
	if err == nil {
		err = s.historyJobs(ctx, read, w, h)
	}
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	for _, one := range h.series {
		one.sort()
	}
	slices.SortStableFunc(h.walks, func(a, b walk) int { return cmp.Compare(a.createdMS, b.createdMS) })
	return h, nil
}

// historyPipelines takes the pipelines, but for their commits, with wall times
// and the times of phases, and returns the window that they are of.
func (s *scope) historyPipelines(ctx context.Context, read *store.Reading, h *history) (w Window, err error) {
	p, err := s.picker(ctx, read, s.Window, ResultAll)
	if err != nil {
		return w, err
	}
	if w, h.truncated, err = p.newest(ctx, read, s.Window, maxHistory); err != nil {
		return w, err
	}
	return w, p.eachPipelines(ctx, read, w, store.PipelineID|store.WorkflowText|store.WallMS|store.PhasesMS, func(c chosen) {
		ids, good := c.Numbers(store.PipelineID), s.ended(c.Volume, ResultOK)
		some := make([]moment, len(c.rows))
		for i, row := range c.rows {
			some[i] = moment{id: ids[row], at: instant(c.Created[row])}
			h.pipelines[ids[row]] = &some[i]
		}
		take := func(column []int64, m topic) {
			of := h.byWorkflow(c.Texts(store.WorkflowText), m)
			for i, row := range c.rows {
				if column[row] != none && good(row) {
					of(row).add(&some[i], column[row])
				}
			}
		}
		take(c.Numbers(store.WallMS), topic{kind: topicWall})
		for _, phase := range c.Phases() {
			take(c.Phase(phase, store.TimeTo), topic{kind: topicTimeTo, phase: phase})
			take(c.Phase(phase, store.Span), topic{kind: topicPhase, phase: phase})
		}
	})
}

// byWorkflow finds the series of a topic for the workflow of a row.
func (h *history) byWorkflow(workflows *store.Texts, m topic) func(row int) *series {
	all := make([]*series, len(workflows.Values))
	return func(row int) *series {
		code := workflows.Codes[row]
		if all[code] == nil {
			m.workflow = workflows.Values[code]
			all[code] = h.of(m)
		}
		return all[code]
	}
}

// historyJobs takes how long jobs and their steps ran, the commits of the
// pipelines, and their walks.
func (s *scope) historyJobs(ctx context.Context, read *store.Reading, w Window, h *history) error {
	return s.daysWith(ctx, read, store.Steps, func(v *sieve) error {
		p, a, steps := &v.Pipelines, &v.Attempts, &v.Steps
		of := h.byCodes(v.Day)
		h.paths.day(v)
		for i, id := range p.ID {
			m := h.pipelines[id]
			if m == nil {
				continue
			}
			m.commit = p.Commit.At(i)
			if v.isWalked(w, i) {
				h.walks = append(h.walks, walk{p.Created[i], p.Wall[i], p.Workflow.At(i), h.paths.walk(v, i, nil)})
			}
			from, to := v.attemptsOf(i)
			for k := from; k < to; k++ {
				if !v.isGood(k) {
					continue
				}
				at := codes{p.Workflow.Codes[i], a.Name.Codes[k], noStep}
				of(at).add(m, a.Run[k])
				for n := steps.First[k]; n < steps.First[k+1]; n++ {
					at.step = steps.Name.Codes[n]
					of(at).add(m, steps.MS[n])
				}
			}
		}
		return nil
	}, w)
}

// Codes are the places of a topic's names in a day.
type codes struct{ workflow, job, step uint32 }

// noStep stands where a topic is a job.
const noStep = 1<<32 - 1

// byCodes finds the series of a job or step of a day.
func (h *history) byCodes(d *store.Day) func(codes) *series {
	all := map[codes]*series{}
	return func(at codes) *series {
		s := all[at]
		if s == nil {
			m := topic{workflow: d.Pipelines.Workflow.Values[at.workflow], kind: topicJob, job: d.Attempts.Name.Values[at.job]}
			if at.step != noStep {
				m.kind, m.step = topicStep, d.Steps.Name.Values[at.step]
			}
			s = h.of(m)
			all[at] = s
		}
		return s
	}
}

// isGood tells whether an attempt is looked at: the last one of its job, which
// passed.
func (v *sieve) isGood(attempt int) bool {
	a := &v.Attempts
	result := a.Result.Codes[attempt]
	return v.attempts[attempt] && !a.IsRetried[attempt] && a.Name.Codes[attempt] != 0 && a.Run[attempt] != none &&
		v.finished[a.State.Codes[attempt]] && (result == 0 || v.passed[result])
}
