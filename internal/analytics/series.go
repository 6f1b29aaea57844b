package analytics

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxHistory is how many pipelines of a project are looked at for changes. Of
// more the newest are.
const maxHistory = 20_000

// The metrics that are watched for changes.
const (
	metricWall   = "wall"
	metricActive = "active"
	metricTimeTo = ci.MetricTimeTo // and the phase
	metricJob    = "job_run:"      // and the job
	metricStep   = "step:"         // and the job, a slash and the step
)

// A topic is what a series is about: of one workflow of a project, for
// workflows take different times.
type topic struct {
	workflow string
	kind     topicKind
	phase    string
	job      string
	step     string
}

type topicKind int

// The kinds, in the order in which they head a finding: what people wait for
// comes before what it is made of.
const (
	topicWall topicKind = iota
	topicTimeTo
	topicPhase
	topicJob
	topicStep
)

// metric is the topic's name, as GET /api/v1/stats knows it.
func (m topic) metric() string {
	switch m.kind {
	case topicTimeTo:
		return metricTimeTo + m.phase
	case topicPhase:
		return m.phase
	case topicJob:
		return metricJob + m.job
	case topicStep:
		return metricStep + escaped(m.job) + "/" + escaped(m.step)
	default:
		return metricWall
	}
}

// isPipeline tells whether the rule of pipelines is meant for it.
func (m topic) isPipeline() bool { return m.kind <= topicPhase }

func (m topic) compare(o topic) int {
	return cmp.Or(cmp.Compare(m.workflow, o.workflow), cmp.Compare(m.kind, o.kind), cmp.Compare(m.phase, o.phase),
		cmp.Compare(m.job, o.job), cmp.Compare(m.step, o.step))
}

// escaped is a name as it is written in a metric: a slash divides names there.
func escaped(name string) string { return strings.NewReplacer("%", "%25", "/", "%2F").Replace(name) }

// A moment is a pipeline as a place in time.
type moment struct {
	id       int64
	at       time.Time // of its creation
	commit   string
	workflow string
}

// A value is one number of a series.
type value struct {
	*moment

	ms int64
}

// A history is what is watched of one project: series in order of time, of
// what succeeded.
type history struct {
	project   project
	pipelines map[int64]*moment // all that had finished, whatever their result
	series    map[topic][]value
	truncated bool // there are more pipelines
}

// topics are those that there are values of, in order.
func (h *history) topics() []topic {
	all := make([]topic, 0, len(h.series))
	for m := range h.series {
		all = append(all, m)
	}
	slices.SortFunc(all, topic.compare)
	return all
}

// seconds are the values of a series.
func secondsOf(series []value) []float64 {
	all := make([]float64, len(series))
	for i, v := range series {
		all[i] = float64(v.ms) / 1000
	}
	return all
}

// history reads the series of the scope's project.
func (s *scope) history(ctx context.Context, read *store.Reading, p project) (*history, error) {
	one := scope{s.Filter, []project{p}}
	h := &history{project: p, pipelines: map[int64]*moment{}, series: map[topic][]value{}}
	from, err := one.historyPipelines(ctx, read, h)
	if err != nil {
		return nil, fmt.Errorf("read the pipelines: %w", err)
	}
	w := Window{from, s.Window.To}
	for _, part := range []func(context.Context, *store.Reading, Window, *history) error{one.historyPhases, one.historyJobs} {
		if err := part(ctx, read, w, h); err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
	}
	for _, series := range h.series {
		slices.SortFunc(series, func(a, b value) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	}
	return h, nil
}

// add puts down a value of a pipeline that is known.
func (h *history) add(pipeline int64, m topic, ms int64) {
	at := h.pipelines[pipeline]
	if at == nil {
		return
	}
	m.workflow = at.workflow
	h.series[m] = append(h.series[m], value{at, ms})
}

// historyPipelines reads the pipelines and their wall times, and returns the
// beginning of the time that they are from.
func (s *scope) historyPipelines(ctx context.Context, read *store.Reading, h *history) (time.Time, error) {
	var args arguments
	text := "SELECT p.id, p.created_ms, COALESCE(p.commit_sha, ''), COALESCE(p.workflow, ''), p.wall_ms, p.result FROM pipelines p WHERE " +
		s.pipelines(&args, s.Window) + " AND p.state = '" + string(ci.Finished) + "' ORDER BY p.created_ms DESC, p.id DESC LIMIT " + args.add(maxHistory+1)
	from := s.Window.From
	err := read.Rows(ctx, text, args, func(scan store.Scan) error {
		m := &moment{}
		var created int64
		var wall *int64
		var result *string
		if err := scan(&m.id, &created, &m.commit, &m.workflow, &wall, &result); err != nil {
			return err
		}
		if len(h.pipelines) == maxHistory {
			h.truncated = true
			return nil
		}
		m.at = time.UnixMilli(created).UTC()
		h.pipelines[m.id] = m
		if wall != nil && (result == nil || *result == string(ci.Success)) {
			h.add(m.id, topic{kind: topicWall}, *wall)
		}
		if len(h.pipelines) == maxHistory {
			from = m.at
		}
		return nil
	})
	return from, err
}

// historyPhases reads the milestones and spans of phases.
func (s *scope) historyPhases(ctx context.Context, read *store.Reading, w Window, h *history) error {
	var args arguments
	text := `SELECT f.pipeline_id, f.phase, f.time_to_ms, f.span_ms FROM phases f
JOIN pipelines p ON p.project_id = f.project_id AND p.id = f.pipeline_id
WHERE ` + s.pipelines(&args, w) + " AND " + ok("p")
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var pipeline int64
		var phase string
		var timeTo, span *int64
		if err := scan(&pipeline, &phase, &timeTo, &span); err != nil {
			return err
		}
		if timeTo != nil {
			h.add(pipeline, topic{kind: topicTimeTo, phase: phase}, *timeTo)
		}
		if span != nil {
			h.add(pipeline, topic{kind: topicPhase, phase: phase}, *span)
		}
		return nil
	})
}

// ok is the condition that what the alias stands for finished, with success or
// without a word on how.
func ok(alias string) string {
	return alias + ".state = '" + string(ci.Finished) + "' AND (" + alias + ".result IS NULL OR " + alias + ".result = '" + string(ci.Success) + "')"
}

// historyJobs takes how long jobs and their steps ran.
func (s *scope) historyJobs(ctx context.Context, read *store.Reading, w Window, h *history) error {
	return s.daysWith(ctx, read, store.Steps, func(v *sieve) error {
		a, steps := &v.Attempts, &v.Steps
		for i, id := range v.Pipelines.ID {
			if h.pipelines[id] == nil {
				continue
			}
			from, to := v.attemptsOf(i)
			for k := from; k < to; k++ {
				if !v.isGood(k) {
					continue
				}
				job := a.Name.At(k)
				h.add(id, topic{kind: topicJob, job: job}, a.Run[k])
				for n := steps.First[k]; n < steps.First[k+1]; n++ {
					h.add(id, topic{kind: topicStep, job: job, step: steps.Name.At(n)}, steps.MS[n])
				}
			}
		}
		return nil
	}, w)
}

// isGood tells whether an attempt is looked at; goodAttempts says it in SQL.
func (v *sieve) isGood(attempt int) bool {
	a := &v.Attempts
	result := a.Result.Codes[attempt]
	return v.attempts[attempt] && !a.IsRetried[attempt] && a.Name.Codes[attempt] != 0 && a.Run[attempt] != none &&
		v.finished[a.State.Codes[attempt]] && (result == 0 || v.passed[result])
}

// goodAttempts are the conditions on attempts j that are looked at: the last
// one of its job, which passed.
func (s *scope) goodAttempts(args *arguments) string {
	return " AND NOT j.is_superseded AND NOT j.is_retried AND j.name IS NOT NULL AND j.run_ms IS NOT NULL AND (" + ok("j") + ")" + s.attempts(args, "j")
}
