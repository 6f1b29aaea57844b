package ci

import (
	"cmp"
	"slices"
	"time"
)

// A Phase is a set of jobs, such as all end-to-end tests, or of steps of jobs.
// All texts but the name are patterns: * stands for any characters, ? for one.
type Phase struct {
	Name string `json:"name"`
	// A job belongs to the phase when its stage is of one of Stages, its name of
	// one of Jobs, and its name of none of NotJobs. An empty list asks nothing.
	Stages  []string `json:"stages,omitempty"`
	Jobs    []string `json:"jobs,omitempty"`
	NotJobs []string `json:"not_jobs,omitempty"`
	// Steps, if there are any, make it a phase of the steps of these jobs with
	// such names. A job is in one phase at most; its steps may be in more.
	Steps []string `json:"steps,omitempty"`
}

// The phases that the original knew.
const (
	phaseBuild = "build"
	phaseE2e   = "e2e"
)

// Phases are the definitions in force. A job is in the first that matches.
type Phases []Phase

// DefaultPhases are the original's: its client's defaults.
func DefaultPhases() Phases {
	return Phases{
		{Name: phaseBuild, Stages: []string{"build"}, Jobs: []string{"build-e2e"}},
		{Name: phaseE2e, Stages: []string{"test", "e2e"}, NotJobs: []string{"coverage", "e2e-lint", "e2e:lint", "unit"}},
	}
}

// WantSteps tells whether the steps of an attempt are asked for: it is of the
// phase e2e, or a phase is made of such steps.
func (ps Phases) WantSteps(a *Attempt) bool {
	return ps.of(a) == phaseE2e || slices.ContainsFunc(ps, func(p Phase) bool { return len(p.Steps) > 0 && p.has(a) })
}

// of is the name of the attempt's phase; empty: it has none.
func (ps Phases) of(a *Attempt) string {
	for i := range ps {
		if p := &ps[i]; len(p.Steps) == 0 && p.has(a) {
			return p.Name
		}
	}
	return ""
}

// has tells whether the attempt's job is one of the phase's.
func (p *Phase) has(a *Attempt) bool {
	return (len(p.Stages) == 0 || matchesAny(p.Stages, a.Stage)) && (len(p.Jobs) == 0 || matchesAny(p.Jobs, a.Name)) &&
		!matchesAny(p.NotJobs, a.Name)
}

// PhaseTimes says when a phase of one pipeline ran. Nil and zero are unknown.
type PhaseTimes struct {
	Phase                  string
	FirstStart, LastFinish time.Time
	TimeToMS               *int64 // pipeline created to first start; a legacy report may make it negative
	SpanMS                 *int64 // first start to last finish
	WorkMS                 *int64 // run time of all attempts
	Attempts               int
}

// times sums up the attempts of each phase, in order of the phases' names.
func (ps Phases) times(attempts []*AttemptRecord, created time.Time) []PhaseTimes {
	byName := map[string]*PhaseTimes{}
	for _, a := range attempts {
		if a.Phase == "" {
			continue
		}
		t := byName[a.Phase]
		if t == nil {
			t = &PhaseTimes{Phase: a.Phase}
			byName[a.Phase] = t
		}
		t.add(a)
	}
	ps.addSteps(byName, attempts)
	all := make([]PhaseTimes, 0, len(byName))
	for _, t := range byName {
		if !t.FirstStart.IsZero() && !created.IsZero() {
			t.TimeToMS = new(t.FirstStart.UnixMilli() - created.UnixMilli())
		}
		if !t.FirstStart.IsZero() && !t.LastFinish.IsZero() {
			t.SpanMS = new(between(t.FirstStart, t.LastFinish))
		}
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b PhaseTimes) int { return cmp.Compare(a.Phase, b.Phase) })
	return all
}

func (t *PhaseTimes) add(a *AttemptRecord) {
	t.Attempts++
	if !a.StartedAt.IsZero() && (t.FirstStart.IsZero() || a.StartedAt.Before(t.FirstStart)) {
		t.FirstStart = a.StartedAt
	}
	if a.FinishedAt.After(t.LastFinish) {
		t.LastFinish = a.FinishedAt
	}
	if a.RunMS != nil {
		work := *a.RunMS
		if t.WorkMS != nil {
			work += *t.WorkMS
		}
		t.WorkMS = &work
	}
}

// addSteps sums up the steps of the phases that are made of such. The entries
// of a legacy report are of its own phases alone.
func (ps Phases) addSteps(byName map[string]*PhaseTimes, attempts []*AttemptRecord) {
	for i := range ps {
		p := &ps[i]
		if len(p.Steps) == 0 {
			continue
		}
		t := &PhaseTimes{Phase: p.Name}
		for _, a := range attempts {
			t.addSteps(p.StepsOf(a))
		}
		if t.Attempts > 0 {
			byName[p.Name] = t
		}
	}
}

// StepsOf returns the attempt's steps that are of the phase, out of the first
// source that tells of one: several sources tell of the same steps.
func (p *Phase) StepsOf(a *AttemptRecord) (mine []Step) {
	if a.Legacy != "" || len(p.Steps) == 0 || len(a.Steps) == 0 || !p.has(&a.Attempt) {
		return nil
	}
	for _, s := range a.Steps {
		if matchesAny(p.Steps, s.Name) && (len(mine) == 0 || mine[0].Source == s.Source) {
			mine = append(mine, s)
		}
	}
	return mine
}

func (t *PhaseTimes) addSteps(steps []Step) {
	if len(steps) == 0 {
		return
	}
	t.Attempts++
	work := int64(0)
	if t.WorkMS != nil {
		work = *t.WorkMS
	}
	for _, s := range steps {
		work += Millis(s.DurationS)
		if s.StartedAt.IsZero() {
			continue
		}
		if t.FirstStart.IsZero() || s.StartedAt.Before(t.FirstStart) {
			t.FirstStart = s.StartedAt
		}
		if end := s.StartedAt.Add(time.Duration(Millis(s.DurationS)) * time.Millisecond); end.After(t.LastFinish) {
			t.LastFinish = end
		}
	}
	t.WorkMS = &work
}

// reportedPhases puts the legacy report's own figures of phase e2e in place
// of those computed from its entries: what was reported is authoritative.
func (rec *Record) reportedPhases(all []PhaseTimes) []PhaseTimes {
	l := rec.Legacy
	i := slices.IndexFunc(all, func(t PhaseTimes) bool { return t.Phase == phaseE2e })
	if i < 0 {
		all = append(all, PhaseTimes{Phase: phaseE2e})
		i = len(all) - 1
	}
	all[i].TimeToMS = new(Millis(l.DurationS - l.DurationE2eS))
	all[i].SpanMS = new(Millis(l.DurationE2eS))
	return all
}
