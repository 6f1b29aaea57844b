package ci

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"
)

// Derived is what follows from a pipeline's words; it holds no fact of its own.
type Derived struct {
	CreatedAt    time.Time // as said, else its own start, else the earliest instant known; zero if there is none
	CreatedKnown bool      // somebody said its creation or its own start
	Ref          string
	OnDefault    bool   // the ref is the project's default branch
	State        State  // running while an attempt runs, whatever the pipeline's own word
	Result       Result // empty until finished
	FinishedAt   time.Time
	HasRestarts  bool // some job had more than one attempt; of a legacy report alone: as it says
	Counted      int  // attempts, without superseded ones
	Phases       []PhaseTimes
	Metrics      *Metrics // the row in the view metrics_pipeline; nil if it has none
	// Where the wall time went, and the critical path's times that belong to no
	// attempt; nil while the first pass has not ended.
	Parts *Parts
	Path  *PathParts
	Late  int // attempts after the first pass
}

// Metrics is a row of the view metrics_pipeline: the legacy report as it was
// said, or else the same figures from the phase e2e as the original's client
// computes them, in whole seconds.
type Metrics struct {
	CreatedAt    time.Time
	DurationS    float64
	DurationE2eS float64
	HasRestarts  *bool
}

// DerivedAttempt is what follows for one attempt from all of its pipeline.
type DerivedAttempt struct {
	Legacy     LegacyKind // the array of the legacy report it stood in, else empty
	Position   int        // in that array, from 0
	Number     int        // 1 for the first attempt of its job
	Retried    bool       // a later attempt of the job exists
	Superseded bool       // another row tells of the same attempt
	Same       string     // of a superseded row: the key of that other row, if known
	Phase      string
	QueueMS    *int64 // waited for a runner
	RunMS      *int64 // ran: as the provider says, else start to finish
	Late       bool   // after the first pass
	// What the attempt adds to the wall time on the critical path; nil: it is
	// not on it.
	PathRunMS, PathQueueMS *int64
	// By how much less the wall time would be if the job took no time; set on
	// its last attempt of the first pass.
	SavesMS *int64
	// The views metrics_build, metrics_job and metrics_job_failed that show
	// the attempt, and the seconds that they show.
	InBuild, InJob, InFailed           bool
	MetricsS, UpS, E2eS, PullS, NoPull *float64
}

// Derive computes all that follows from the record's words. defaultBranch is
// the project's, empty while nobody has said which.
func (rec *Record) Derive(by Definitions, defaultBranch string) {
	rec.deriveLegacy()
	counted := rec.counted()
	number(counted)
	for _, a := range rec.Attempts {
		a.deriveTimes()
		if a.Legacy == "" {
			a.Phase = by.Phases.of(&a.Attempt)
		}
	}
	d := Derived{Counted: len(counted), Ref: rec.Words.Pipeline.Ref}
	if rec.Legacy != nil && d.Ref == "" {
		d.Ref = rec.Legacy.Ref
	}
	d.CreatedAt, d.CreatedKnown = rec.created()
	d.OnDefault = rec.onDefault(d.Ref, defaultBranch)
	d.State, d.Result = rec.state(counted)
	if d.State == Finished {
		d.FinishedAt = rec.Words.Pipeline.FinishedAt
	}
	alone := rec.legacyAlone()
	d.HasRestarts = slices.ContainsFunc(counted, func(a *AttemptRecord) bool { return a.Number > 1 })
	if alone && rec.Legacy.HasRestarts != nil {
		d.HasRestarts = *rec.Legacy.HasRestarts
	}
	d.Phases = by.Phases.times(counted, d.CreatedAt)
	if alone {
		d.Phases = rec.reportedPhases(d.Phases)
	}
	rec.Derived = d
	rec.Metrics = rec.metrics(counted)
	rec.derivePass(counted, by.LateAfter)
}

// derivePass splits the time of the first pass.
func (rec *Record) derivePass(counted []*AttemptRecord, lateAfter time.Duration) {
	for _, a := range rec.Attempts {
		a.Late, a.PathRunMS, a.PathQueueMS, a.SavesMS = false, nil, nil, nil
	}
	p := rec.firstPass(counted, lateAfter)
	if p == nil {
		return
	}
	p.link()
	rec.Parts, rec.Path, rec.Late = new(p.parts()), new(p.path()), len(p.late)
	p.save()
	for _, a := range p.late {
		a.Late = true
	}
}

// Sorted returns all attempts, the legacy report's rows included, by key.
func (rec *Record) Sorted() []*AttemptRecord {
	all := make([]*AttemptRecord, 0, len(rec.Attempts))
	for _, a := range rec.Attempts {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *AttemptRecord) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// counted returns the attempts that count, in the order in which they ran: by
// created (where nobody said it, by what came next), started, then id. Instants are compared as they are stored, to
// the millisecond: else the order would depend on which of two was stored first.
func (rec *Record) counted() []*AttemptRecord {
	all := slices.DeleteFunc(rec.Sorted(), func(a *AttemptRecord) bool { return a.Superseded })
	order := func(a, b time.Time) int { return a.Truncate(time.Millisecond).Compare(b.Truncate(time.Millisecond)) }
	slices.SortStableFunc(all, func(a, b *AttemptRecord) int {
		return cmp.Or(order(a.first(), b.first()), order(a.StartedAt, b.StartedAt),
			compareIDs(a.ID, b.ID), cmp.Compare(a.Legacy, b.Legacy), cmp.Compare(a.Position, b.Position))
	})
	return all
}

// first is the earliest instant that is known of an attempt.
func (a *AttemptRecord) first() time.Time {
	for _, t := range []time.Time{a.CreatedAt, a.StartedAt} {
		if !t.IsZero() {
			return t
		}
	}
	return a.FinishedAt
}

// compareIDs orders numbers by size and before other ids.
func compareIDs(a, b string) int {
	if a == b {
		return 0
	}
	x, errX := strconv.ParseUint(a, 10, 64)
	y, errY := strconv.ParseUint(b, 10, 64)
	switch {
	case errX == nil && errY == nil:
		return cmp.Compare(x, y)
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return cmp.Compare(a, b)
}

func number(counted []*AttemptRecord) {
	type job struct {
		name  string
		build bool // a legacy report's build may have the name of one of its jobs
	}
	last := map[job]*AttemptRecord{}
	for _, a := range counted {
		j := job{a.Name, a.Legacy == LegacyBuild}
		a.Number, a.Retried = 1, false
		if before := last[j]; before != nil {
			a.Number, before.Retried = before.Number+1, true
		}
		last[j] = a
	}
}

func (a *AttemptRecord) deriveTimes() {
	a.QueueMS, a.RunMS = nil, nil
	switch {
	case a.QueuedS != nil:
		a.QueueMS = new(Millis(*a.QueuedS))
	case !a.StartedAt.IsZero() && !a.CreatedAt.IsZero():
		a.QueueMS = new(between(a.CreatedAt, a.StartedAt))
	}
	switch {
	case a.DurationS != nil:
		a.RunMS = new(Millis(*a.DurationS))
	case !a.StartedAt.IsZero() && !a.FinishedAt.IsZero():
		a.RunMS = new(between(a.StartedAt, a.FinishedAt))
	}
}

// between is never negative: clocks of two machines may disagree.
func between(from, to time.Time) int64 { return max(0, to.UnixMilli()-from.UnixMilli()) }

func (rec *Record) created() (at time.Time, known bool) {
	if rec.Ranks.said(createdRegister) {
		return rec.Words.Pipeline.CreatedAt, true
	}
	if rec.Legacy != nil {
		return rec.Legacy.CreatedAt, true
	}
	// CI systems that have no word for the creation have one for the start. The
	// start of a job would not do: others may have come before it.
	if rec.Ranks.said(startedRegister) {
		return rec.Words.Pipeline.StartedAt, true
	}
	p := &rec.Words.Pipeline
	all := []time.Time{p.FinishedAt, p.UpdatedAt}
	for _, a := range rec.Attempts {
		all = append(all, a.CreatedAt, a.StartedAt, a.FinishedAt)
		for _, s := range a.Steps {
			all = append(all, s.StartedAt)
		}
	}
	for _, t := range all {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at, false
}

func (rec *Record) onDefault(ref, defaultBranch string) bool {
	if rec.Legacy != nil && rec.Legacy.OnDefaultBranch != nil && rec.Words.Pipeline.Ref == "" {
		return *rec.Legacy.OnDefaultBranch
	}
	if kind := rec.Words.Pipeline.RefKind; kind == "change" || kind == "tag" {
		return false // a change may come from another repository's branch of that name
	}
	defaultBranch = cmp.Or(rec.Words.Pipeline.DefaultBranch, defaultBranch)
	if defaultBranch == "" {
		return ref == "master" || ref == "main"
	}
	return ref == defaultBranch
}

func (rec *Record) state(counted []*AttemptRecord) (State, Result) {
	p := &rec.Words.Pipeline
	// What was retried has ended, also where nobody told us its end.
	has := func(s State) bool {
		return slices.ContainsFunc(counted, func(a *AttemptRecord) bool { return a.State == s && !a.Retried })
	}
	switch {
	case has(Running):
		return Running, ""
	case rec.Ranks.said(statusRegister) && p.State == Finished:
		return Finished, p.Result
	case rec.Ranks.said(statusRegister) && p.State != "":
		return p.State, ""
	case rec.Legacy != nil:
		return Finished, ""
	case has(Queued):
		return Queued, ""
	}
	return Unknown, ""
}

// metrics are the pipeline's figures in the original's terms. The original's
// client truncates to whole seconds.
func (rec *Record) metrics(counted []*AttemptRecord) *Metrics {
	for _, a := range rec.Attempts {
		if a.Legacy == "" {
			a.InBuild, a.InJob, a.InFailed, a.MetricsS = false, false, false, nil
			a.UpS, a.E2eS, a.PullS, a.NoPull = nil, nil, nil, nil
		}
	}
	if l := rec.Legacy; l != nil {
		return &Metrics{l.CreatedAt, l.DurationS, l.DurationE2eS, l.HasRestarts}
	}
	if rec.State != Finished || !rec.CreatedKnown {
		return nil
	}
	i := slices.IndexFunc(rec.Phases, func(p PhaseTimes) bool { return p.Phase == phaseE2e })
	if i < 0 || rec.Phases[i].FirstStart.IsZero() || rec.Phases[i].LastFinish.IsZero() {
		return nil
	}
	e2e := rec.Phases[i]
	failed := false
	for _, a := range counted {
		failed = a.deriveMetrics() || failed
	}
	return &Metrics{
		CreatedAt:    rec.CreatedAt,
		DurationS:    wholeSeconds(between(rec.CreatedAt, e2e.LastFinish)),
		DurationE2eS: wholeSeconds(between(e2e.FirstStart, e2e.LastFinish)),
		HasRestarts:  &failed,
	}
}

// deriveMetrics decides which of the original's views show an attempt that a
// legacy report did not tell of, and tells whether it failed in phase e2e.
func (a *AttemptRecord) deriveMetrics() (failed bool) {
	if a.RunMS == nil || a.State != Finished {
		return false
	}
	a.InBuild = a.Phase == phaseBuild && !a.Retried && a.Result == Success
	a.InJob = a.Phase == phaseE2e && !a.Retried
	a.InFailed = a.Phase == phaseE2e && (a.Result == Failure || a.Result == Error || a.Result == Timeout)
	a.MetricsS = new(wholeSeconds(*a.RunMS))
	for _, s := range a.Steps {
		whole := new(wholeSeconds(Millis(s.DurationS)))
		switch s.Name {
		case "up":
			a.UpS = whole
		case "e2e":
			a.E2eS = whole
		case "pull":
			a.PullS = whole
		case "up_without_pull":
			a.NoPull = whole
		}
	}
	if a.PullS != nil && a.NoPull != nil {
		a.UpS = new(*a.PullS + *a.NoPull) // the original's client truncates first, then adds
	}
	return a.InFailed
}

func wholeSeconds(ms int64) float64 { return math.Trunc(float64(ms) / 1000) }
