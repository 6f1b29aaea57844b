package ci

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// Definitions are what people decide on how words are read: rows that were
// derived by others are out of date.
type Definitions struct {
	Phases Phases
	// LateAfter is how long after the end of the first pass an attempt may be
	// created and still belong to it.
	LateAfter time.Duration
}

// The limits of definitions.
const (
	MaxPhases    = 100            // phases of a project
	MaxPatterns  = 100            // patterns of one list of a phase
	MaxPattern   = 256            // bytes of a pattern or a phase's name
	MaxLateAfter = 24 * time.Hour // of LateAfter
)

// DefaultDefinitions are the original's phases, and a minute.
func DefaultDefinitions() Definitions {
	return Definitions{Phases: DefaultPhases(), LateAfter: DefaultLateAfter}
}

// rules counts the changes of what Derive computes: one more makes all stored
// rows out of date.
const rules = 1

// Hash identifies what rows are derived by.
func (d Definitions) Hash() string {
	sum := sha256.Sum256([]byte(encode([]any{rules, d.Phases, d.LateAfter.Milliseconds()})))
	return hex.EncodeToString(sum[:8])
}

// Validate returns an *InvalidError that lists everything wrong, or nil. The
// pointers are those of a document with the keys phases and late_after_s.
func (d Definitions) Validate() error {
	v := &validator{}
	if d.LateAfter < 0 || d.LateAfter > MaxLateAfter {
		v.bad("/late_after_s", "must be from 0 to 86400")
	}
	if len(d.Phases) > MaxPhases {
		v.bad("/phases", "has more than 100 entries")
		return &InvalidError{Fields: v.fields}
	}
	seen := map[string]bool{}
	for i, p := range d.Phases {
		at := "/phases/" + strconv.Itoa(i)
		v.phase(at, &p)
		if seen[p.Name] && p.Name != "" {
			v.bad(at+"/name", "is the name of another phase already")
		}
		seen[p.Name] = true
	}
	if len(v.fields) == 0 {
		return nil
	}
	return &InvalidError{Fields: v.fields}
}

func (v *validator) phase(at string, p *Phase) {
	v.text(at+"/name", p.Name, MaxPattern, true)
	if len(p.Stages)+len(p.Jobs)+len(p.Steps) == 0 {
		v.bad(at, "must have patterns of stages, jobs or steps: else it would be all jobs")
	}
	for _, list := range []struct {
		name     string
		patterns []string
	}{{"stages", p.Stages}, {"jobs", p.Jobs}, {"not_jobs", p.NotJobs}, {"steps", p.Steps}} {
		v.patterns(at+"/"+list.name, list.patterns)
	}
}
