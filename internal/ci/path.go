package ci

import (
	"cmp"
	"slices"
	"sort"
)

const (
	// pathSlack is by how much, in milliseconds, an attempt may seem to have
	// become runnable before what it waited for had ended: some messages have
	// times in whole seconds, cut off.
	pathSlack = 999
	// maxReplayed is the number of attempts up to which what a job could save is
	// computed: the work grows with its square.
	maxReplayed = 2000
)

// PathParts are the times on a pipeline's critical path that belong to no job,
// in milliseconds. With the run and queue times of the attempts on the path
// they add up to the wall time exactly.
type PathParts struct {
	RetryMS   int64 // attempts that were retried ran
	BlockedMS int64 // the path waited for a person
	GapMS     int64 // nobody knows for what it waited
}

// link orders the spans by their ends and finds what each waited for: what was
// said, else all that had ended when it became runnable.
func (p *pass) link() {
	slices.SortStableFunc(p.spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(b.start, a.start)) // of equal ends the longest is the last
	})
	byName := p.byName()
	for i := range p.spans {
		s := &p.spans[i]
		switch {
		case s.queued != nil:
			p.waited(i, byName, s.asked()+pathSlack)
		case s.created && !s.gate && p.waited(i, byName, s.since+pathSlack):
		default:
			p.waited(i, byName, s.start)
		}
		s.runnable = max(0, s.asked())
		ended := int64(0)
		if s.after >= 0 {
			ended = p.spans[s.after].end
		}
		if s.queued == nil && s.created && !s.gate {
			s.runnable = min(s.start, max(s.since, ended))
		}
		s.begin = min(s.end, max(s.runnable, ended))
	}
}

// byName has the positions of each job's spans; nil if no needs were said.
func (p *pass) byName() map[string][]int {
	if !slices.ContainsFunc(p.spans, func(s span) bool { return s.attempt.Needs != nil }) {
		return nil
	}
	all := map[string][]int{}
	for i, s := range p.spans {
		all[s.attempt.Name] = append(all[s.attempt.Name], i)
	}
	return all
}

// waited sets what span i waited for, if that had to end until then, and tells
// whether there is any. The positions are all before i, so that no walk over
// them runs in a circle.
func (p *pass) waited(i int, byName map[string][]int, until int64) bool {
	s := &p.spans[i]
	s.before, s.needs, s.after = 0, nil, -1
	known := s.attempt.Needs != nil && len(s.attempt.Needs) == 0
	for _, need := range s.attempt.Needs {
		known = known || len(byName[need]) > 0
	}
	if !known {
		n := sort.Search(i, func(o int) bool { return p.spans[o].end > until })
		s.before, s.after = n, n-1
		return n > 0
	}
	for _, name := range append([]string{s.attempt.Name}, s.attempt.Needs...) { // a retry waited for what it repeats
		at := byName[name]
		n := sort.Search(len(at), func(k int) bool { return at[k] >= i || p.spans[at[k]].end > until })
		if n > 0 {
			s.needs = append(s.needs, at[n-1])
			s.after = max(s.after, at[n-1])
		}
	}
	return s.after >= 0
}

// path walks back from the attempt that ended last, and gives every instant to
// the attempt that was the reason for waiting. It sets the times of the
// attempts on the way and returns the rest.
func (p *pass) path() PathParts {
	var rest PathParts
	idle := func(ms int64, gate bool) {
		if gate {
			rest.BlockedMS += ms
		} else {
			rest.GapMS += ms
		}
	}
	top, gate := p.wall, false
	for i := len(p.spans) - 1; i >= 0; {
		s := &p.spans[i]
		end := min(s.end, top)
		idle(top-end, gate)
		begin := min(s.begin, end)
		start := min(max(s.start, begin), end)
		run := end - start
		if s.retried {
			rest.RetryMS += run
			run = 0
		}
		s.attempt.PathRunMS, s.attempt.PathQueueMS = new(run), new(start-begin)
		top, gate, i = begin, s.gate, s.after
	}
	idle(top, gate)
	return rest
}

// save sets by how much earlier the pass would have ended if a job had taken
// no time, for each job at its last attempt. Only a job on the critical path
// could save anything.
func (p *pass) save() {
	if len(p.spans) == 0 || len(p.spans) > maxReplayed {
		return
	}
	onPath := make(map[int]bool, len(p.spans))
	for i := range p.spans {
		if s := &p.spans[i]; s.attempt.PathRunMS != nil {
			onPath[s.job] = true
		}
	}
	ends, latest := make([]int64, len(p.spans)), make([]int64, len(p.spans))
	last := p.spans[len(p.spans)-1].end
	for i := range p.spans {
		s := &p.spans[i]
		switch {
		case s.retried:
		case onPath[s.job]:
			s.attempt.SavesMS = new(max(0, last-p.replay(s.job, ends, latest)))
		default:
			s.attempt.SavesMS = new(int64(0))
		}
	}
}

// replay computes when the pass would have ended without the run time of a
// job: each attempt comes as long after what it waited for as it did. The two
// slices are room to work in: ends by span, and the latest of them so far.
func (p *pass) replay(job int, ends, latest []int64) int64 {
	for i := range p.spans {
		s := &p.spans[i]
		ended, were := int64(0), int64(0)
		if s.after >= 0 {
			were = p.spans[s.after].end
		}
		if s.before > 0 {
			ended = latest[s.before-1]
		}
		for _, at := range s.needs {
			ended = max(ended, ends[at])
		}
		start := min(s.end, max(s.start, s.begin))
		ends[i] = ended + start - were
		if s.job != job {
			ends[i] += s.end - start
		}
		latest[i] = ends[i]
		if i > 0 {
			latest[i] = max(latest[i], latest[i-1])
		}
	}
	return latest[len(latest)-1]
}
