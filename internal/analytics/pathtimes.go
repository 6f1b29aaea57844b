package analytics

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// PathTimes are what critical paths are made of, as means over Count pipelines,
// null where there are none. Together they are WallS.
type PathTimes struct {
	Count    int64       `json:"count"` // pipelines with a critical path
	WallS    *float64    `json:"wall_s"`
	QueueS   *float64    `json:"queue_s"`
	RetryS   *float64    `json:"retry_s"`
	BlockedS *float64    `json:"blocked_s"`
	GapS     *float64    `json:"gap_s"`
	Phases   []PathPhase `json:"phases"` // each that is on a path of the answer, in the order of the definitions
}

// A PathPhase is the time in which jobs of a phase ran on critical paths.
type PathPhase struct {
	Phase  *string  `json:"phase"` // null: of jobs that are in none; it is the last
	SetUpS *float64 `json:"set_up_s"`
	RunS   *float64 `json:"run_s"` // without that
}

// A PathBucket is one slice of the window.
type PathBucket struct {
	Slice
	PathTimes
}

// IsSetUp tells whether a step gets its job ready for its work: so the original
// and GitHub call it.
func IsSetUp(step string) bool { return step == "up" || step == "Set up job" }

// pathSums are the same in milliseconds.
type pathSums struct {
	count, wall, queue, retry, blocked, gap int64
	phases                                  map[string]phaseSums // empty: none
}

type phaseSums struct{ setUp, run int64 }

func (s *pathSums) add(o *pathSums) {
	s.count, s.wall, s.queue, s.retry, s.blocked, s.gap = s.count+o.count, s.wall+o.wall, s.queue+o.queue, s.retry+o.retry, s.blocked+o.blocked, s.gap+o.gap
	for phase, ms := range o.phases {
		s.ran(phase, ms.setUp, ms.run)
	}
}

func (s *pathSums) ran(phase string, setUp, run int64) {
	if s.phases == nil {
		s.phases = map[string]phaseSums{}
	}
	ms := s.phases[phase]
	s.phases[phase] = phaseSums{ms.setUp + setUp, ms.run + run}
}

// means are those of the phases named.
func (s *pathSums) means(phases []string) PathTimes {
	t := PathTimes{
		Count: s.count, WallS: meanOf(s.wall, s.count), QueueS: meanOf(s.queue, s.count), RetryS: meanOf(s.retry, s.count),
		BlockedS: meanOf(s.blocked, s.count), GapS: meanOf(s.gap, s.count), Phases: []PathPhase{},
	}
	for _, name := range phases {
		p := PathPhase{SetUpS: meanOf(s.phases[name].setUp, s.count), RunS: meanOf(s.phases[name].run, s.count)}
		if name != "" {
			p.Phase = &name
		}
		t.Phases = append(t.Phases, p)
	}
	return t
}

// phaseOrder is where phases stand in the definitions of projects.
type phaseOrder map[string]int

// add adds a project's. What is among those of several projects stands where it
// comes first.
func (o phaseOrder) add(phases ci.Phases) {
	for i, p := range phases {
		if at, ok := o[p.Name]; !ok || i < at {
			o[p.Name] = i
		}
	}
}

// sorted are the phases of some sums. Those that nobody defines now come after
// the rest, and what is in none at the end.
func (o phaseOrder) sorted(s *pathSums) []string {
	at := func(phase string) int {
		i, ok := o[phase]
		switch {
		case phase == "":
			return ci.MaxPhases + 1
		case !ok:
			return ci.MaxPhases
		}
		return i
	}
	return slices.SortedFunc(maps.Keys(s.phases), func(x, y string) int {
		return cmp.Or(cmp.Compare(at(x), at(y)), cmp.Compare(x, y))
	})
}
