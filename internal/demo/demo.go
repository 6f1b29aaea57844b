// Package demo makes up the history of three projects, for people who want to
// see what the collector shows before they connect a CI system. It simulates
// pipelines on pools of runners; it reads no clock and stores nothing.
//
// Two things are planted for the analytics to find, and told in [Planted]: one
// job that got slower, and one flaky job. Everything else stays as it was,
// apart from chance. Chance here means durations that are lognormal around a
// fixed median, commits that break a job (such a job fails each time it runs
// on that commit, so it is not flaky), and errors of the runners: three in a
// thousand attempts, of any job, end as [ci.Error] and are retried. Counted as
// flakes, those errors stay under a few commits in a hundred for each job; the
// flaky job fails and passes on about six.
package demo

import (
	"math/rand/v2"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A History is what became of all projects until an instant.
type History struct {
	// Reports has one report for each pipeline, as it stood at the end, in
	// order of creation.
	Reports []ci.Report
	Planted Planted
}

// Planted says what there is to find.
type Planted struct {
	Project string // the project of the job that got slower
	Job     string
	Step    string    // the step of the job that takes the time
	Since   time.Time // when the first slow pipeline was created
	// Commit of the default branch brought it; it is empty when the history
	// is too short to have one.
	Commit       string
	FlakyProject string
	FlakyJob     string
}

// Generate makes up the days before end. The same arguments give the same
// history. Working hours are those of end's location; 14 days are the least
// in which the slow-down can be told from chance, and 60 make a good picture.
func Generate(seed uint64, end time.Time, days int) History {
	end = end.Truncate(time.Millisecond)
	start := end.AddDate(0, 0, -days)
	w := &world{
		random:   rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // made-up data has to come out the same each time
		planted:  Planted{Project: "acme/shop", Job: "e2e:checkout", Step: "up", FlakyProject: "acme/orders-api", FlakyJob: "contract-tests"},
		plantAt:  start.Add(end.Sub(start) * 7 / 10),
		pipeline: 4_821_300,
		attempt:  61_204_000,
	}
	for i := range projects {
		newTeam(w, &projects[i]).plan(start, end)
	}
	w.clock.run(end.UTC())

	h := History{Planted: w.planted, Reports: make([]ci.Report, 0, len(w.runs))}
	for _, r := range w.runs {
		h.Reports = append(h.Reports, r.report())
	}
	return h
}

// A world is all that the simulated projects share.
type world struct {
	clock    clock
	random   *rand.Rand
	runs     []*run    // in order of creation
	plantAt  time.Time // the first merge after it gets slower
	planted  Planted
	pipeline int64 // the last number given, as are the next two
	attempt  int64
	runner   int64
}

// chance is true in p of all cases.
func (w *world) chance(p float64) bool { return w.random.Float64() < p }

// between is any duration of the two or between them.
func (w *world) between(least, most time.Duration) time.Duration {
	return (least + time.Duration(w.random.Float64()*float64(most-least))).Round(time.Millisecond)
}

// next gives the number after last. Others use the same CI system, so it
// leaves gaps, of less than gap.
func (w *world) next(last *int64, gap int64) int64 {
	*last += 1 + w.random.Int64N(gap)
	return *last
}
