package ci

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// A Phase is a set of jobs, such as all end-to-end tests.
type Phase struct {
	Name string `json:"name"`
	// Stages and Jobs are names; a job belongs to the phase when it is in one
	// of the stages, has one of the names (empty: any), and is not in NotJobs.
	Stages  []string `json:"stages,omitempty"`
	Jobs    []string `json:"jobs,omitempty"`
	NotJobs []string `json:"not_jobs,omitempty"`
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

// Hash identifies the definitions; rows computed with others are out of date.
func (ps Phases) Hash() string {
	sum := sha256.Sum256([]byte(encode(ps)))
	return hex.EncodeToString(sum[:8])
}

func (ps Phases) of(a *Attempt) string {
	for _, p := range ps {
		if slices.Contains(p.Stages, a.Stage) && (len(p.Jobs) == 0 || slices.Contains(p.Jobs, a.Name)) &&
			!slices.Contains(p.NotJobs, a.Name) {
			return p.Name
		}
	}
	return ""
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
