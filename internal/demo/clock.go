package demo

import (
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A clock calls what was put down for an instant, in order of time. What is
// put down for the same instant comes in the order of putting down.
type clock struct {
	now    time.Time
	events []event // the next one last
}

type event struct {
	at time.Time
	do func()
}

// at puts down what to do at t.
func (c *clock) at(t time.Time, do func()) {
	i, _ := slices.BinarySearchFunc(c.events, t, func(e event, t time.Time) int { return t.Compare(e.at) })
	c.events = slices.Insert(c.events, i, event{t, do})
}

// after puts down what to do when d has passed.
func (c *clock) after(d time.Duration, do func()) { c.at(c.now.Add(d), do) }

// run lets time pass until end. What lies beyond is never done: the history
// stops in the middle of things.
func (c *clock) run(end time.Time) {
	for n := len(c.events); n > 0 && c.events[n-1].at.Before(end); n = len(c.events) {
		next := c.events[n-1]
		c.events = c.events[:n-1]
		c.now = next.at
		next.do()
	}
	c.now = end
}

// A pool is the runners of a project, each of which takes one job at a time.
// Protected ones take jobs of the default branch and of tags alone; such jobs
// may run anywhere. So it is changes that wait when many push at once, and the
// default branch keeps its pace.
type pool struct {
	w       *world
	size    int // runners in all
	free    []runner
	waiting []*job // in order of asking
}

type runner struct {
	ci.Runner
	protected bool
}

// wait queues a job and starts it when its turn has come.
func (p *pool) wait(j *job) {
	p.waiting = append(p.waiting, j)
	p.serve()
}

// release takes back a runner.
func (p *pool) release(r runner) {
	p.free = append(p.free, r)
	p.serve()
}

// serve hands free runners to waiting jobs. A runner looks for work every few
// seconds, so a job waits a little even when one is free; where most are busy,
// a machine has to be started first.
func (p *pool) serve() {
	p.waiting = slices.DeleteFunc(p.waiting, func(j *job) bool {
		if j.last.State != ci.Queued { // cancelled while it waited
			return true
		}
		i := slices.IndexFunc(p.free, func(r runner) bool { return !r.protected || j.run.pipeline.RefKind != "change" })
		if i < 0 {
			return false
		}
		r := p.free[i]
		p.free = slices.Delete(p.free, i, i+1)
		delay := p.w.between(time.Second, 4*time.Second)
		if len(p.free) < p.size/2 {
			delay = p.w.between(6*time.Second, 25*time.Second)
		}
		p.w.clock.after(delay, func() { j.start(r) })
		return true
	})
}
