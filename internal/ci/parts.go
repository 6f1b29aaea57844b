package ci

import (
	"cmp"
	"slices"
)

// Parts say where the wall time of a pipeline went, in whole milliseconds. The
// last five add up to Wall exactly, and none is negative.
type Parts struct {
	WallMS   int64 // created to the end of the first pass
	ActiveMS int64 // wall without what was blocked

	ExecutionMS int64 // an attempt ran that was its job's last one
	RetryMS     int64 // else: an attempt ran that was retried
	QueueMS     int64 // else: an attempt waited for a runner
	BlockedMS   int64 // else: all waited for a person
	GapMS       int64 // nothing of these is known
}

// An edge is an instant at which something begins or ends.
type edge struct {
	at                    int64
	final, retried, waits int
	gate                  bool  // an attempt came up that a person started
	since                 int64 // of a gate: when it was created
}

// parts sweeps over the pass: every instant belongs to the first part that
// applies.
func (p *pass) parts() Parts {
	t := Parts{WallMS: p.wall}
	var now edge
	for _, e := range edges(p.spans) {
		at := min(e.at, p.wall)
		t.add(now, at, e)
		now.at = max(now.at, at)
		now.final, now.retried, now.waits = now.final+e.final, now.retried+e.retried, now.waits+e.waits
	}
	t.add(now, p.wall, edge{})
	t.ActiveMS = t.WallMS - t.BlockedMS
	return t
}

// add counts the time from now until the next edge.
func (t *Parts) add(now edge, until int64, next edge) {
	d := until - now.at
	switch {
	case d <= 0:
	case now.final > 0:
		t.ExecutionMS += d
	case now.retried > 0:
		t.RetryMS += d
	case now.waits > 0:
		t.QueueMS += d
	case next.gate: // and not something else ended the pause
		blocked := until - max(now.at, min(next.since, until))
		t.BlockedMS += blocked
		t.GapMS += d - blocked
	default:
		t.GapMS += d
	}
}

// edges are in order of time; of one instant, gates come first.
func edges(spans []span) []edge {
	all := make([]edge, 0, 3*len(spans))
	for i := range spans {
		s := &spans[i]
		run := edge{final: 1}
		if s.retried {
			run = edge{retried: 1}
		}
		stop := edge{at: s.end, final: -run.final, retried: -run.retried}
		run.at, run.waits = s.start, -1
		all = append(all, edge{at: s.runnable, waits: 1, gate: s.gate, since: s.since}, run, stop)
	}
	slices.SortFunc(all, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(byte1(b.gate), byte1(a.gate)), cmp.Compare(a.since, b.since))
	})
	return all
}

func byte1(b bool) int {
	if b {
		return 1
	}
	return 0
}
