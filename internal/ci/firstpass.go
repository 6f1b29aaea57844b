package ci

import (
	"cmp"
	"slices"
	"time"
)

// DefaultLateAfter is how long after the end of the first pass an attempt may
// be created and still belong to it.
const DefaultLateAfter = time.Minute

// A pass is the first pass of a pipeline: what ran from its creation until all
// jobs had ended once. Times are milliseconds since the pipeline was created.
type pass struct {
	spans []span // in order of their ends
	wall  int64
	late  []*AttemptRecord
}

// A span is an attempt that ran.
type span struct {
	attempt    *AttemptRecord
	job        int   // attempts of one job have one number
	since      int64 // when it was created, as far as that is known
	created    bool  // since is what was said
	queued     *int64
	start, end int64
	open       bool // it has not ended
	gate       bool // a person started it
	retried    bool // a later attempt of its job is of the first pass as well

	// What link adds.
	runnable int64 // when it began to wait for a runner
	begin    int64 // when all that it waited for had ended and it was runnable
	before   int   // as many of the pass's spans, the first ones, are what it may have waited for
	needs    []int // what it waited for, where that was said; before is 0 then
	after    int   // the one of these that ended last; -1: none
}

// moment is when the attempt came up: a person starts an attempt long after it
// was created.
func (s *span) moment() int64 {
	if s.gate {
		return s.asked()
	}
	return s.since
}

// asked is when the attempt asked for a runner, if anybody said that, else its
// start.
func (s *span) asked() int64 {
	if s.queued != nil {
		return s.start - *s.queued
	}
	return s.start
}

// firstPass returns the first pass of the pipeline, or nil while that has not
// ended or where it can't be known.
func (rec *Record) firstPass(counted []*AttemptRecord, lateAfter time.Duration) *pass {
	switch {
	case !rec.CreatedKnown:
		return nil
	case rec.legacyAlone():
		return rec.reportedPass(counted)
	}
	ran, waiting := rec.ran(counted)
	if len(ran) == 0 {
		return rec.untimedPass(counted)
	}
	p := grow(ran, lateAfter.Milliseconds())
	if p == nil {
		return nil
	}
	resumed := slices.ContainsFunc(p.late, func(a *AttemptRecord) bool { return a.State == Running && !a.Retried })
	for _, a := range waiting {
		if !a.CreatedAt.IsZero() && rec.since(a.CreatedAt) > p.wall+lateAfter.Milliseconds() && a.Result != Skip {
			p.late = append(p.late, a)
			resumed = resumed || !a.Retried && a.State == Queued
		} else if rec.State != Finished && !a.Retried && (a.State == Queued || a.State == Running) {
			return nil
		}
	}
	if rec.State != Finished && !resumed {
		return nil // jobs that nobody has told of yet may be of the first pass
	}
	return p
}

// untimedPass is the first pass of a pipeline of whose attempts no times are
// known, but that they ran.
func (rec *Record) untimedPass(counted []*AttemptRecord) *pass {
	ran := func(a *AttemptRecord) bool { return a.RunMS != nil && *a.RunMS > 0 }
	if rec.FinishedAt.IsZero() || len(counted) > 0 && !slices.ContainsFunc(counted, ran) {
		return nil
	}
	return &pass{wall: between(rec.CreatedAt, rec.FinishedAt)}
}

// grow finds the end of the first pass: the latest of the jobs' first ends,
// without jobs that a person started after all else had ended, and then the
// end of each attempt that came up no later than lateAfter after that.
func grow(ran []span, lateAfter int64) *pass {
	g := growth{ran: ran, in: make([]bool, len(ran)), jobs: make([]bool, len(ran)), end: -1}
	seen, rest := make([]bool, len(ran)), make([]int, 0, len(ran))
	for i := range ran {
		s := &ran[i]
		if seen[s.job] || s.gate {
			rest = append(rest, i)
		} else {
			g.take(i)
		}
		seen[s.job] = true
	}
	slices.SortStableFunc(rest, func(a, b int) int { return cmp.Compare(ran[a].moment(), ran[b].moment()) })
	for range maxRounds { // one that comes in may let an earlier one in
		before := g.taken
		for _, i := range rest {
			if !g.in[i] && g.belongs(&ran[i], lateAfter) {
				g.take(i)
			}
		}
		if g.taken == before {
			break
		}
	}
	if g.open {
		return nil
	}
	return g.pass()
}

// A growth is a first pass while its end is looked for.
type growth struct {
	ran  []span
	in   []bool // by span
	jobs []bool // by job: one of its attempts is in
	end  int64  // -1: nothing is in
	open bool

	taken int
}

// maxRounds bounds the work for a report that is made to cause much of it; a
// real pipeline needs two or three.
const maxRounds = 100

// belongs tells whether an attempt that is not the first of a job, or that a
// person started, is of the first pass.
func (g *growth) belongs(s *span, lateAfter int64) bool {
	switch {
	case g.end < 0: // nothing but what people started
		return true
	case s.gate && !g.jobs[s.job]:
		return s.moment() < g.end
	}
	return s.moment() <= g.end+lateAfter
}

func (g *growth) take(i int) {
	s := &g.ran[i]
	g.in[i], g.jobs[s.job] = true, true
	g.taken++
	g.open = g.open || s.open
	g.end = max(g.end, s.end)
}

func (g *growth) pass() *pass {
	p := &pass{wall: g.end, spans: make([]span, 0, len(g.ran))}
	last := make([]int, len(g.ran)) // by job: 1 + the position of its last attempt that is in
	for i := range g.ran {
		s := &g.ran[i]
		if !g.in[i] {
			p.late = append(p.late, s.attempt)
			continue
		}
		if before := last[s.job]; before > 0 {
			p.spans[before-1].retried = true
		}
		p.spans = append(p.spans, *s)
		last[s.job] = len(p.spans)
	}
	return p
}

// ran returns the attempts that started, in the order in which they count, and
// those that did not.
func (rec *Record) ran(counted []*AttemptRecord) (ran []span, waiting []*AttemptRecord) {
	next := map[*AttemptRecord]*AttemptRecord{}
	last := make(map[string]*AttemptRecord, len(counted))
	jobs := make(map[string]int, len(counted))
	for _, a := range counted {
		if before := last[a.Name]; before != nil {
			next[before] = a
		}
		last[a.Name] = a
	}
	ran = make([]span, 0, len(counted))
	for _, a := range counted {
		s, started := rec.span(a, next[a])
		if !started {
			waiting = append(waiting, a)
			continue
		}
		job, known := jobs[a.Name]
		if !known {
			job = len(jobs)
			jobs[a.Name] = job
		}
		s.job = job
		ran = append(ran, s)
	}
	return ran, waiting
}

// span is the attempt in milliseconds since the pipeline's creation; started
// is false if it did not run, or nobody knows when.
func (rec *Record) span(a, next *AttemptRecord) (s span, started bool) {
	s = span{attempt: a, gate: a.Manual != nil && *a.Manual}
	switch {
	case a.Result == Skip:
		return s, false
	case !a.StartedAt.IsZero():
		s.start = rec.since(a.StartedAt)
	case !a.FinishedAt.IsZero() && a.DurationS != nil:
		s.start = max(0, rec.since(a.FinishedAt)-*a.RunMS)
	default:
		return s, false
	}
	switch {
	case !a.FinishedAt.IsZero():
		s.end = max(s.start, rec.since(a.FinishedAt))
	case a.DurationS != nil && (a.State == Finished || a.Retried):
		s.end = s.start + *a.RunMS
	case next != nil: // what was retried has ended, also where nobody told us its end
		s.end = max(s.start, rec.since(next.first()))
	case rec.State == Finished:
		s.end = max(s.start, rec.since(rec.FinishedAt))
	default:
		s.end, s.open = s.start, a.State != Finished
	}
	if a.QueuedS != nil {
		s.queued = new(Millis(*a.QueuedS))
	}
	switch {
	case !a.CreatedAt.IsZero():
		s.since, s.created = rec.since(a.CreatedAt), true
	case !s.gate:
		s.since = max(0, s.asked())
	}
	return s, true
}

// since is an instant in milliseconds since the pipeline's creation, and not
// before that: clocks of two machines may disagree. It is 0 for an unknown one.
func (rec *Record) since(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return between(rec.CreatedAt, t)
}
