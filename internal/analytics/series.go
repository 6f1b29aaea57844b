package analytics

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

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
	topicEndOf
	topicTimeTo
	topicPhase
	topicJob
	topicStep
)

// metric is the topic's name, as GET /api/v1/stats knows it.
func (m topic) metric() string {
	switch m.kind {
	case topicEndOf:
		return ci.MetricEndOf + m.phase
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
func escaped(name string) string { return escapes.Replace(name) }

var escapes = strings.NewReplacer("%", "%25", "/", "%2F")

// A moment is a pipeline as a place in time.
type moment struct {
	id     int64
	at     time.Time // of its creation
	commit string
}

// A value is one number of a series.
type value struct {
	*moment

	ms int64
}

// A series is what is watched of one topic, in order of time, of what succeeded.
type series struct {
	topic

	values []value
}

func (s *series) add(m *moment, ms int64) { s.values = append(s.values, value{m, ms}) }

// seconds are the values as the rules take them.
func (s *series) seconds() []float64 {
	all := make([]float64, len(s.values))
	for i, v := range s.values {
		all[i] = float64(v.ms) / 1000
	}
	return all
}

// sort puts the values in order of time; those of one pipeline stay as they are.
func (s *series) sort() {
	inOrder := func(a, b value) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) }
	if !slices.IsSortedFunc(s.values, inOrder) {
		slices.SortStableFunc(s.values, inOrder)
	}
}

// A history is what is watched of one project.
type history struct {
	project   project
	settings  ci.Settings       // of the project
	window    Window            // that it is of
	pipelines map[int64]*moment // all that had finished, whatever their result
	series    map[topic]*series
	paths     *paths
	walks     []walk // of the pipelines that went well, in order of time
	truncated bool   // there are pipelines before the window
}

// of is the series of a topic.
func (h *history) of(m topic) *series {
	s := h.series[m]
	if s == nil {
		s = &series{topic: m}
		h.series[m] = s
	}
	return s
}

// watched are the series of the metrics named, or else all that are watched by
// settings of the project: ends of phases are where they are milestones.
func (h *history) watched(by *ci.Settings, metrics []string) []*series {
	all := make([]*series, 0, len(h.series))
	for m, s := range h.series {
		is := len(metrics) == 0 && (m.kind != topicEndOf || slices.ContainsFunc(by.Milestones, func(o ci.Milestone) bool { return o.Metric() == m.metric() }))
		if is || slices.Contains(metrics, m.metric()) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *series) int { return a.compare(b.topic) })
	return all
}
