package demo

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

const (
	limit   = 20 * time.Minute // a job that runs longer is stopped
	hiccups = 0.003            // share of attempts that the runner spoils
)

// A job of a run.
type job struct {
	spec   *spec
	run    *run
	last   *ci.Attempt // the latest
	tries  int         // attempts so far
	ready  bool        // the jobs that last needs are done
	since  time.Time   // when last began to wait for a runner
	runner runner      // while last runs
	steps  []ci.Step   // of last, if nothing stops it
}

// passed says whether jobs that need this one may run.
func (j *job) passed() bool {
	return j.last.State == ci.Finished && (j.last.Result == ci.Success ||
		j.spec.optional && (j.last.Result == ci.Failure || j.last.Result == ci.Timeout))
}

// failed says whether jobs that need this one wait in vain.
func (j *job) failed() bool { return j.last.State == ci.Finished && !j.passed() }

// add creates the next attempt.
func (j *job) add() {
	t, w := j.run.team, j.run.team.w
	j.tries++
	j.last = &ci.Attempt{
		ID: strconv.FormatInt(t.provider.base+w.next(&w.attempt, 3), 10), Name: j.spec.name, Stage: j.spec.stage,
		State: ci.Queued, CreatedAt: w.clock.now, Needs: slices.Clone(j.spec.needs),
		AllowFailure: new(j.spec.optional), Manual: new(j.spec.manual), Environment: j.spec.environment,
	}
	j.run.attempts = append(j.run.attempts, j.last)
}

// release lets a job go whose needs are done: to the queue, or to a person,
// who starts it in the next hours or never.
func (j *job) release() {
	j.ready = true
	if !j.spec.manual {
		j.queue()
		return
	}
	w := j.run.team.w
	j.last.State, j.last.Result = ci.Blocked, ""
	if w.chance(0.35) {
		w.clock.after(w.between(10*time.Minute, 3*time.Hour), func() {
			j.queue()
			j.run.settle()
		})
	}
}

// queue asks for a runner.
func (j *job) queue() {
	j.last.State, j.last.Result = ci.Queued, ""
	j.since = j.run.team.w.clock.now
	j.run.team.pool.wait(j)
}

// start runs the attempt on r, unless it was cancelled at the last moment.
func (j *job) start(r runner) {
	if j.last.State != ci.Queued {
		j.run.team.pool.release(r)
		return
	}
	a, clock := j.last, &j.run.team.w.clock
	j.runner = r
	a.State, a.StartedAt, a.QueuedS = ci.Running, clock.now, new(clock.now.Sub(j.since).Seconds())
	a.Runner = &ci.Runner{ID: r.ID, Name: r.Name, Tags: slices.Clone(r.Tags)}
	if p := &j.run.pipeline; p.StartedAt.IsZero() {
		p.StartedAt = clock.now
	}
	result, d := j.fate()
	clock.after(d, func() {
		if a.State == ci.Running {
			j.finish(result)
		}
	})
	j.run.settle()
}

// fate decides how the attempt will end, and after how long.
func (j *job) fate() (ci.Result, time.Duration) {
	w := j.run.team.w
	d, steps := j.plan()
	j.steps = steps
	broken := j.run.commit.broken[j.spec.name]
	switch {
	case w.chance(hiccups):
		return ci.Error, w.between(3*time.Second, 40*time.Second)
	case broken == ci.Timeout:
		return ci.Timeout, limit
	case broken != "" || w.chance(j.spec.flake):
		return ci.Failure, w.between(d*3/10, d*19/20)
	}
	return ci.Success, d
}

// plan draws how long the attempt and its steps take when nothing goes wrong.
func (j *job) plan() (time.Duration, []ci.Step) {
	w := j.run.team.w
	d := w.lognormal(j.spec.median, j.spec.spread)
	var steps []ci.Step
	for _, s := range j.spec.steps {
		median := s.median
		if j.run.commit.slow && s.slower > 0 {
			median *= s.slower
		}
		took := w.lognormal(median, s.spread)
		steps = append(steps, ci.Step{Name: s.name, StartedAt: w.clock.now.Add(d), DurationS: took.Seconds()})
		d += took
	}
	return d, steps
}

// lognormal draws a duration; the median is in seconds.
func (w *world) lognormal(median, sigma float64) time.Duration {
	s := median * math.Exp(sigma*w.random.NormFloat64())
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}

// finish ends the attempt now and gives the runner back.
func (j *job) finish(result ci.Result) {
	a, now := j.last, j.run.team.w.clock.now
	a.State, a.Result, a.FinishedAt = ci.Finished, result, now
	a.DurationS = new(now.Sub(a.StartedAt).Seconds())
	for _, s := range j.steps { // as far as it came
		if left := now.Sub(s.StartedAt).Seconds(); left > 0 {
			s.DurationS = min(s.DurationS, left)
			a.Steps = append(a.Steps, s)
		}
	}
	j.run.team.pool.release(j.runner)
	if result != ci.Cancellation {
		j.retry(result)
		j.run.advance()
	}
}

// retry adds an attempt where the definition says so, at once, and otherwise
// where a person thinks it might help, somewhat later. At night all sleep.
func (j *job) retry(result ci.Result) {
	w, hope := j.run.team.w, 0.25
	switch {
	case result == ci.Success:
		return
	case result == ci.Error, result == ci.Failure && j.tries <= j.spec.retries:
		j.again()
		return
	case j.run.commit.broken[j.spec.name] == "":
		hope = 1 // they know the job
	}
	if j.run.pipeline.Trigger != "schedule" && j.tries < 4 && w.chance(hope) {
		w.clock.after(w.between(3*time.Minute, 30*time.Minute), func() {
			if j.run.pipeline.Result != ci.Cancellation {
				j.again()
				j.run.advance()
			}
		})
	}
}

// again tries once more.
func (j *job) again() {
	j.add()
	j.ready = true
	j.queue()
}
