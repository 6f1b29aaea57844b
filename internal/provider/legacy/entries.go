package legacy

import (
	"fmt"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// The keys of an entry of jobs or jobs_failed.
const (
	entryName fields = 1 << iota
	entryDuration
	entryStartedAt
	entryFinishedAt
	entryUp
	entryE2e
	entryPull
	entryUpNoPull
)

// An entry is what was read so far of an element of jobs or jobs_failed. Its
// durations lie together in memory, as most entries have several.
type entry struct {
	seen                               fields
	name                               string
	started, finished                  time.Time
	duration, up, e2e, pull, upNoPullS float64
}

// entries reads the array jobs or jobs_failed.
func (r *reader) entries(kind ci.LegacyKind) (all []ci.LegacyEntry, ok bool) {
	ok = r.array(func(i int) {
		if r.hasPlace(i) {
			all = append(all, r.entry(kind))
		}
	})
	return all, ok
}

func (r *reader) entry(kind ci.LegacyKind) ci.LegacyEntry {
	e := new(entry)
	before := len(r.problems)
	switch {
	case r.object(func(key []byte) { e.field(r, kind, key) }):
		r.need(e.seen, entryName, "name", "is required")
		r.need(e.seen, entryDuration, "duration", "is required")
	case len(r.problems) == before:
		r.problem("must be an object, not null")
	}
	return e.entry(kind)
}

// field reads the value of one key. Failed jobs have no steps.
func (e *entry) field(r *reader, kind ci.LegacyKind, key []byte) {
	switch string(key) {
	case "name":
		r.field(&e.seen, entryName, "name", func() (ok bool) { e.name, ok = r.text(); return })
		return
	case "duration":
		r.field(&e.seen, entryDuration, "duration", func() (ok bool) { e.duration, ok = r.seconds(); return })
		return
	case "started_at":
		r.field(&e.seen, entryStartedAt, "started_at", func() (ok bool) { e.started, ok = r.instant(); return })
		return
	case "finished_at":
		r.field(&e.seen, entryFinishedAt, "finished_at", func() (ok bool) { e.finished, ok = r.instant(); return })
		return
	}
	if kind == ci.LegacyFailed {
		r.skip()
		return
	}
	switch string(key) {
	case "up":
		r.field(&e.seen, entryUp, "up", func() (ok bool) { e.up, ok = r.seconds(); return })
	case "e2e":
		r.field(&e.seen, entryE2e, "e2e", func() (ok bool) { e.e2e, ok = r.seconds(); return })
	case "pull":
		r.field(&e.seen, entryPull, "pull", func() (ok bool) { e.pull, ok = r.seconds(); return })
	case "up_without_pull":
		r.field(&e.seen, entryUpNoPull, "up_without_pull", func() (ok bool) { e.upNoPullS, ok = r.seconds(); return })
	default:
		r.skip()
	}
}

func (e *entry) entry(kind ci.LegacyKind) ci.LegacyEntry {
	return ci.LegacyEntry{
		Kind:       kind,
		Name:       e.name,
		StartedAt:  e.started,
		FinishedAt: e.finished,
		DurationS:  e.said(entryDuration, &e.duration),
		UpS:        e.said(entryUp, &e.up),
		E2eS:       e.said(entryE2e, &e.e2e),
		PullS:      e.said(entryPull, &e.pull),
		UpNoPullS:  e.said(entryUpNoPull, &e.upNoPullS),
	}
}

func (e *entry) said(f fields, s *float64) *float64 {
	if e.seen&f == 0 {
		return nil
	}
	return s
}

// builds reads the array builds.
func (r *reader) builds() (all []ci.LegacyEntry, ok bool) {
	ok = r.array(func(i int) {
		if r.hasPlace(i) {
			all = append(all, r.build())
		}
	})
	return all, ok
}

// build reads an element of builds: an object of one key, the build's name.
func (r *reader) build() ci.LegacyEntry {
	const want = "must be an object of one key, the build's name"
	e := ci.LegacyEntry{Kind: ci.LegacyBuild}
	const value fields = 1
	var seen fields
	var seconds float64
	names, before := 0, len(r.problems)
	isObject := r.object(func(key []byte) {
		if names == 0 || string(key) != e.Name {
			names++
		}
		name, ok := r.name(key)
		if !ok {
			r.skip()
			return
		}
		e.Name = name
		r.field(&seen, value, escapeKey(name), func() (ok bool) { seconds, ok = r.seconds(); return })
	})
	switch {
	case len(r.problems) > before:
	case !isObject:
		r.problem(want + ", not null")
	case names != 1:
		r.problem(want)
	default:
		r.need(seen, value, escapeKey(e.Name), "is required")
	}
	e.DurationS = &seconds
	return e
}

// escapeKey writes a key as a part of a JSON Pointer.
func escapeKey(key string) string {
	if !strings.ContainsAny(key, "~/") {
		return key
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// hasPlace passes over the elements that an array has too many.
func (r *reader) hasPlace(i int) bool {
	if i < ci.MaxEntries {
		return true
	}
	r.skip()
	if i == ci.MaxEntries {
		r.path = r.path[:len(r.path)-1] // it is the array's problem
		r.problem(fmt.Sprintf("must have at most %d entries", ci.MaxEntries))
		r.path = append(r.path, step{index: i, isIndex: true})
	}
	return false
}
