package ci

import (
	"slices"
	"strconv"
	"time"
)

// deriveLegacy makes the rows of the legacy report's entries, and settles
// which other row tells of the same attempt.
func (rec *Record) deriveLegacy() {
	if rec.Legacy == nil {
		return
	}
	native := make([]*AttemptRecord, 0, len(rec.Attempts))
	for _, a := range rec.Sorted() {
		if a.Legacy == "" {
			native = append(native, a)
		}
	}
	if rec.Attempts == nil {
		rec.Attempts = make(map[string]*AttemptRecord, len(rec.Legacy.Entries))
	}
	position := map[LegacyKind]int{}
	made, rows := make([]AttemptRecord, len(rec.Legacy.Entries)), make([]*AttemptRecord, len(rec.Legacy.Entries))
	for i := range rec.Legacy.Entries {
		e := &rec.Legacy.Entries[i]
		rows[i] = &made[i]
		e.row(rows[i], position[e.Kind])
		position[e.Kind]++
		rec.Attempts[rows[i].Key] = rows[i]
	}
	pairFailed(rows)
	if len(native) > 0 {
		supersede(rows, native)
	}
}

// legacyAlone tells whether nobody but the legacy report told of the jobs.
func (rec *Record) legacyAlone() bool {
	if rec.Legacy == nil {
		return false
	}
	for _, a := range rec.Attempts {
		if a.Legacy == "" {
			return false
		}
	}
	return true
}

// LegacyKey is the key of an entry of a legacy report: the array it stood in
// and its position there, from 0.
func LegacyKey(kind LegacyKind, position int) string {
	return "legacy:" + string(kind) + ":" + strconv.Itoa(position)
}

// row fills in the attempt that the entry is.
func (e *LegacyEntry) row(a *AttemptRecord, position int) {
	a.Key = LegacyKey(e.Kind, position)
	a.Name, a.State = e.Name, Finished
	a.StartedAt, a.FinishedAt, a.DurationS = e.StartedAt, e.FinishedAt, e.DurationS
	a.Legacy, a.Position = e.Kind, position
	a.MetricsS, a.UpS, a.E2eS, a.PullS, a.NoPull = e.DurationS, e.UpS, e.E2eS, e.PullS, e.UpNoPullS
	if a.QueuedS = e.QueuedS; e.RunnerID != "" {
		a.Runner = &Runner{ID: e.RunnerID}
	}
	switch e.Kind {
	case LegacyBuild:
		a.Phase, a.InBuild = phaseBuild, true
	case LegacyJob:
		a.Phase, a.InJob = phaseE2e, true
	case LegacyFailed:
		a.Phase, a.InFailed, a.Result = phaseE2e, true, Failure
	}
}

// pairFailed finds the attempts that stand both in jobs and in jobs_failed:
// the original's client lists an allowed failure in both.
func pairFailed(rows []*AttemptRecord) {
	type times struct {
		name              string
		started, finished int64
	}
	of := func(a *AttemptRecord) times {
		return times{a.Name, a.StartedAt.UnixMilli(), a.FinishedAt.UnixMilli()}
	}
	if !slices.ContainsFunc(rows, func(a *AttemptRecord) bool { return a.Legacy == LegacyFailed && !a.StartedAt.IsZero() }) {
		return
	}
	jobs := map[times][]*AttemptRecord{}
	for _, a := range rows {
		if a.Legacy == LegacyJob && !a.StartedAt.IsZero() && !a.FinishedAt.IsZero() {
			jobs[of(a)] = append(jobs[of(a)], a)
		}
	}
	for _, a := range rows {
		if a.Legacy != LegacyFailed || a.StartedAt.IsZero() || a.FinishedAt.IsZero() {
			continue
		}
		if same := jobs[of(a)]; len(same) > 0 {
			same[0].Result, same[0].AllowFailure = Failure, new(true)
			a.Superseded, a.Same = true, same[0].Key
			jobs[of(a)] = same[1:]
		}
	}
}

// supersede marks the rows of a legacy report whose attempts another source
// tells, and links each to the attempt that it is: the same name and start
// second, or else the same name and whole seconds of run time.
func supersede(rows, native []*AttemptRecord) {
	for _, row := range rows {
		row.Superseded = true
		row.Same = ""
		for _, a := range native {
			if a.Name != row.Name {
				continue
			}
			if sameSecond(a.StartedAt, row.StartedAt) {
				row.Same = a.Key
				break
			}
			a.deriveTimes()
			if row.Same == "" && row.StartedAt.IsZero() && a.RunMS != nil && row.DurationS != nil &&
				wholeSeconds(*a.RunMS) == wholeSeconds(Millis(*row.DurationS)) {
				row.Same = a.Key
			}
		}
	}
}

func sameSecond(a, b time.Time) bool {
	return !a.IsZero() && !b.IsZero() && a.Unix() == b.Unix()
}

// reportedPass is the first pass of a pipeline of which only a legacy report
// told: it took as long as was reported. An entry without times is taken to
// have ended when it can't have ended later: a build when the first e2e job
// started, a job at the end of all. A failed attempt without times is nowhere.
func (rec *Record) reportedPass(counted []*AttemptRecord) *pass {
	p := &pass{wall: max(0, Millis(rec.Legacy.DurationS)), spans: make([]span, 0, len(counted))}
	e2e := rec.reportedStart(p.wall)
	type job struct {
		name  string
		build bool
	}
	jobs, last := make(map[job]int, len(counted)), make([]int, len(counted))
	for _, a := range counted {
		s := span{attempt: a}
		switch {
		case !a.StartedAt.IsZero() && !a.FinishedAt.IsZero():
			s.start, s.end = rec.since(a.StartedAt), rec.since(a.FinishedAt)
		case a.RunMS == nil || a.Legacy == LegacyFailed:
			continue
		case a.Legacy == LegacyBuild:
			s.start, s.end = e2e-*a.RunMS, e2e
		default:
			s.start, s.end = p.wall-*a.RunMS, p.wall
		}
		s.start = min(max(0, s.start), p.wall)
		s.end = min(max(s.start, s.end), p.wall)
		j := job{a.Name, a.Legacy == LegacyBuild}
		n, known := jobs[j]
		if !known {
			n = len(jobs)
			jobs[j] = n
		}
		if known && a.Legacy != LegacyBuild {
			p.spans[last[n]].retried = true
		}
		s.job, last[n] = n, len(p.spans)
		p.spans = append(p.spans, s)
	}
	return p
}

// reportedStart is the start of the first e2e attempt in milliseconds since the
// creation: of an entry (builds have no times), else as it follows from the reported figures.
func (rec *Record) reportedStart(wall int64) int64 {
	start, told := Millis(rec.Legacy.DurationS-rec.Legacy.DurationE2eS), false
	for _, e := range rec.Legacy.Entries {
		if e.StartedAt.IsZero() {
			continue
		}
		if at := rec.since(e.StartedAt); !told || at < start {
			start, told = at, true
		}
	}
	return min(max(0, start), wall)
}

// OnlyLegacy tells whether a report says nothing but what POST /save_metrics
// posted.
func (r *Report) OnlyLegacy() bool {
	if r.Legacy == nil || len(r.Jobs) > 0 {
		return false
	}
	for _, reg := range pipelineRegisters {
		if reg.said(r) {
			return false
		}
	}
	return true
}

// OnlyLegacy tells whether nobody but a legacy report told of the pipeline.
func (rec *Record) OnlyLegacy() bool { return rec.legacyAlone() && len(rec.Ranks) == 0 }

// HasRunners tells whether an entry says more than POST /save_metrics takes.
func (l *Legacy) HasRunners() bool {
	return slices.ContainsFunc(l.Entries, func(e LegacyEntry) bool { return e.QueuedS != nil || e.RunnerID != "" })
}
