package demo

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A team is the people of a project, and what they have under way.
type team struct {
	*project
	w       *world
	pool    pool
	open    []*branch // changes that are not merged
	head    *commit   // of the default branch
	latest  *run      // of head
	changes int       // the last number given to a change
	version int       // the last patch number tagged
	slow    bool      // the planted commit is merged
}

// A branch is a change.
type branch struct {
	id, name string
	slow     bool // it began after the planted commit
	last     *run
}

// A commit fails in the same jobs each time.
type commit struct {
	sha    string
	slow   bool
	broken map[string]ci.Result // by name of the job
}

func newTeam(w *world, p *project) *team {
	t := &team{project: p, w: w, pool: pool{w: w, size: p.runners[0] + p.runners[1]}, changes: 300 + w.random.IntN(600)}
	for i := range p.runners[0] + p.runners[1] {
		r := runner{protected: i >= p.runners[0]}
		r.ID, r.Name, r.Tags = strconv.FormatInt(w.next(&w.runner, 3), 10), fmt.Sprintf("%s-%d", p.name[len("acme/"):], i+1), []string{"docker"}
		if r.protected {
			r.Tags = append(r.Tags, "protected")
		}
		t.pool.free = append(t.pool.free, r)
	}
	t.head = t.commit(1, false)
	return t
}

// plan puts down when people push from start to end, one scheduled pipeline a
// night, and some pushes right before the end, so that it is a living picture
// at any hour.
func (t *team) plan(start, end time.Time) {
	at := func(when time.Time, do func()) {
		if when = when.Truncate(time.Millisecond); !when.Before(start) && when.Before(end) {
			t.w.clock.at(when.UTC(), do)
		}
	}
	y, m, d := start.Date()
	for day := 0; !time.Date(y, m, d+day, 0, 0, 0, 0, end.Location()).After(end); day++ {
		wall := func(hour time.Duration) time.Time { // a day need not have 24 hours
			return time.Date(y, m, d+day, 0, 0, int(hour/time.Second), int(hour%time.Second), end.Location())
		}
		at(wall(2*time.Hour+10*time.Minute), func() { t.begin(schedule, nil, t.head) })
		for range t.pushes(wall(0).Weekday()) {
			at(wall(t.hour()), t.work)
		}
	}
	for _, ago := range []time.Duration{7 * time.Minute, 2 * time.Minute, time.Second / 2} {
		at(end.Add(-ago), func() { t.push(t.newBranch()) })
	}
}

// pushes is how often people push on such a day.
func (t *team) pushes(day time.Weekday) int {
	rate := t.rate
	if day == time.Saturday || day == time.Sunday {
		rate *= 0.06
	}
	return max(0, int(math.Round(rate+math.Sqrt(rate)*t.w.random.NormFloat64())))
}

// hour is a time of the day at which somebody pushes: most do from ten to
// eleven and from two to four.
func (t *team) hour() time.Duration {
	h := 8 + 10.5*t.w.random.Float64()
	switch p := t.w.random.Float64(); {
	case p < 0.25:
		h = 10.5 + 0.4*t.w.random.NormFloat64()
	case p < 0.6:
		h = 15 + 0.7*t.w.random.NormFloat64()
	}
	return time.Duration(h * float64(time.Hour))
}

// work is what somebody does next: merge a change that is green, push to one,
// or begin one.
func (t *team) work() {
	green := slices.IndexFunc(t.open, func(b *branch) bool { return b.last.pipeline.Result == ci.Success })
	switch {
	case green >= 0 && t.idle() && t.w.chance(0.5):
		t.open = slices.Delete(t.open, green, green+1)
		t.merge()
	case len(t.open) > 2 && t.w.chance(0.6):
		t.push(t.open[t.w.random.IntN(len(t.open))])
	default:
		b := t.newBranch()
		t.open = append(t.open, b)
		t.push(b)
	}
}

// idle says whether the default branch has no pipeline under way: people wait
// for it before they merge the next change.
func (t *team) idle() bool {
	return t.latest == nil || t.latest.pipeline.State == ci.Finished
}

// newBranch begins a change.
func (t *team) newBranch() *branch {
	t.changes++
	kind := []string{"feature", "fix", "chore"}[t.w.random.IntN(3)]
	id := strconv.Itoa(t.changes)
	return &branch{id: id, name: kind + "/" + id + "-" + t.topics[t.w.random.IntN(len(t.topics))], slow: t.slow}
}

// push puts a new commit on a change; a pipeline of it that still runs is of
// no more use.
func (t *team) push(b *branch) {
	if b.last != nil {
		b.last.cancel()
	}
	b.last = t.begin(change, b, t.commit(1, b.slow))
}

// merge puts a new commit on the default branch. Changes were tested, so few
// of these are broken. One of them is the planted one.
func (t *team) merge() {
	planted := &t.w.planted
	bringsIt := !t.slow && t.name == planted.Project && !t.w.clock.now.Before(t.w.plantAt)
	t.slow = t.slow || bringsIt
	t.head = t.commit(0.3, t.slow)
	if bringsIt {
		t.head.broken = nil
		planted.Since, planted.Commit = t.w.clock.now, t.head.sha
	}
	t.latest = t.begin(push, nil, t.head)
	if head := t.head; len(head.broken) == 0 && t.w.chance(t.release) {
		t.w.clock.after(t.w.between(10*time.Minute, time.Hour), func() {
			t.version++
			t.begin(tag, nil, head)
		})
	}
}

// commit makes a commit that breaks each job with a share of its risk.
func (t *team) commit(share float64, slow bool) *commit {
	c := &commit{sha: fmt.Sprintf("%016x%016x%08x", t.w.random.Uint64(), t.w.random.Uint64(), t.w.random.Uint32()), slow: slow, broken: map[string]ci.Result{}}
	for _, s := range t.specs {
		if !t.w.chance(s.risk * share) {
			continue
		}
		c.broken[s.name] = ci.Failure
		if !s.optional && t.w.chance(0.06) {
			c.broken[s.name] = ci.Timeout
		}
	}
	return c
}
