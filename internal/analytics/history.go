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

// A historian reads the histories of projects.
type historian struct {
	*picker

	read *store.Reading
	of   map[int64]*history // of the projects that are read now
}

// eachHistory hands each the history of each project of a scope, in their order:
// of the newest pipelines, so many at the most. It reads small projects together,
// and no more of them than a large one.
func (s *scope) eachHistory(ctx context.Context, read *store.Reading, most int, each func(*history)) error {
	f := *s.Filter
	f.Results = nil // only what went well is looked at
	p, err := (&scope{&f, s.projects, s.room}).picker(ctx, read, s.Window, ResultAll)
	if err != nil {
		return err
	}
	created, err := p.created(ctx, read, s.Window)
	if err != nil {
		return err
	}
	settings, err := allSettings(ctx, read)
	if err != nil {
		return err
	}
	for rest := s.projects; len(rest) > 0; {
		h := historian{p, read, map[int64]*history{}}
		n, pipelines := 0, 0
		for ; n < len(rest) && (n == 0 || pipelines+len(created[rest[n].id]) <= most); n++ {
			one := newHistory(rest[n])
			one.settings = settings[one.project.id]
			one.window, one.truncated = newest(s.Window, created[one.project.id], most)
			h.of[one.project.id] = one
			pipelines += len(created[one.project.id])
		}
		if err := h.readAll(ctx, rest[:n]); err != nil {
			return fmt.Errorf("read histories: %w", err)
		}
		for _, project := range rest[:n] {
			each(h.of[project.id])
		}
		rest = rest[n:]
	}
	return nil
}

func newHistory(p project) *history {
	return &history{project: p, pipelines: map[int64]*moment{}, series: map[topic]*series{}, paths: newPaths()}
}

// readAll reads the histories of some projects.
func (h *historian) readAll(ctx context.Context, some []project) error {
	of := *h.picker
	of.scope = h.over(some...)
	h.picker = &of
	w := h.of[some[0].id].window // that of all: of several projects none is shortened
	if err := h.pipelines(ctx, w); err != nil {
		return err
	}
	if err := h.jobs(ctx, w); err != nil {
		return err
	}
	for _, one := range h.of {
		for _, s := range one.series {
			s.sort()
		}
		slices.SortStableFunc(one.walks, func(a, b walk) int { return cmp.Compare(a.createdMS, b.createdMS) })
	}
	return nil
}

// pipelines takes the pipelines, but for their commits, with wall times and the
// times of phases.
func (h *historian) pipelines(ctx context.Context, w Window) error {
	var ends []int64
	return h.eachPipelines(ctx, h.read, w, store.PipelineID|store.WorkflowText|store.WallMS|store.PhasesMS, func(c chosen) {
		of := h.of[c.Project]
		ids, good := c.Numbers(store.PipelineID), h.ended(c.Volume, ResultOK)
		some := make([]moment, len(c.rows))
		for i, row := range c.rows {
			some[i] = moment{id: ids[row], at: instant(c.Created[row])}
			of.pipelines[ids[row]] = &some[i]
		}
		take := func(column []int64, m topic) {
			in := of.byWorkflow(c.Texts(store.WorkflowText), m)
			for i, row := range c.rows {
				if column[row] != none && good(row) {
					in(row).add(&some[i], column[row])
				}
			}
		}
		take(c.Numbers(store.WallMS), topic{kind: topicWall})
		for _, phase := range c.Phases() {
			take(c.Phase(phase, store.TimeTo), topic{kind: topicTimeTo, phase: phase})
			take(c.Phase(phase, store.Span), topic{kind: topicPhase, phase: phase})
			ends = phaseEnds(c.Volume, phase, ends)
			take(ends, topic{kind: topicEndOf, phase: phase})
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

// jobs takes how long jobs and their steps ran, the commits of the pipelines,
// and their walks.
func (h *historian) jobs(ctx context.Context, w Window) error {
	return h.daysWith(ctx, h.read, store.Steps, func(v *sieve) error {
		p, a, steps, one := &v.Pipelines, &v.Attempts, &v.Steps, h.of[v.Project]
		of := one.byCodes(v.Day)
		one.paths.day(v)
		for i, id := range p.ID {
			m := one.pipelines[id]
			if m == nil {
				continue
			}
			m.commit = p.Commit.At(i)
			if v.isWalked(w, i) {
				one.walks = append(one.walks, walk{p.Created[i], p.Wall[i], p.Workflow.At(i), one.paths.walk(v, i, nil)})
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
