package analytics

import (
	"sort"
)

// jobTallies is what the table of jobs is made of, day by day.
type jobTallies struct {
	b       *bucketing
	buckets int
	edges   []int64 // Unix milliseconds

	jobs   map[projectJob]*jobTally
	onPath map[int64]int64 // pipelines with a critical path, by project
	flakes flakes

	at   []*jobTally // of the names of the day
	turn int64       // of the pipelines
}

// A jobTally is the attempts of a job.
type jobTally struct {
	job              projectJob
	stage            string
	count            int64 // in the window
	finished, failed int64
	run              [][]int64 // by bucket, of those that are ok
	queue, before    []int64
	saves, saved     int64
	on               int64 // pipelines in which it is on the critical path
	turn             int64 // the last of these
}

func newJobTallies(b *bucketing, buckets int) *jobTallies {
	t := &jobTallies{b: b, buckets: buckets, jobs: map[projectJob]*jobTally{}, onPath: map[int64]int64{}, flakes: newFlakes()}
	for _, e := range b.edges {
		t.edges = append(t.edges, e.UnixMilli())
	}
	return t
}

// add takes a day.
func (t *jobTallies) add(v *sieve) error {
	t.at = t.at[:0]
	for _, name := range v.Attempts.Name.Values {
		t.at = append(t.at, t.job(projectJob{v.Project, name}, v.room))
	}
	for i := range v.of {
		if v.in(v.Window, i) {
			t.addPath(v, i)
			if v.of[i] {
				bucket := sort.Search(len(t.edges), func(k int) bool { return t.edges[k] > v.Pipelines.Created[i] }) - 1
				t.addPipeline(v, i, bucket)
			}
		}
		if v.of[i] && v.in(v.Versus, i) {
			t.addBefore(v, i)
		}
	}
	t.flakes.add(v)
	return nil
}

// job is the tally of a job; nil where nobody said its name.
func (t *jobTallies) job(of projectJob, room *room) *jobTally {
	if of.job == "" {
		return nil
	}
	if t.jobs[of] == nil {
		room.take(sliceNumbers * t.buckets)
		t.jobs[of] = &jobTally{job: of, run: make([][]int64, t.buckets)}
	}
	return t.jobs[of]
}

// addPath counts a pipeline if it has a critical path.
func (t *jobTallies) addPath(v *sieve, pipeline int) {
	if !v.counts(pipeline) || !v.isOK(pipeline) {
		return
	}
	from, to := v.attemptsOf(pipeline)
	for _, ms := range v.Attempts.PathRun[from:to] {
		if ms != none {
			t.onPath[v.Project]++
			return
		}
	}
}

// addPipeline adds the attempts of a pipeline of the window.
func (t *jobTallies) addPipeline(v *sieve, pipeline, bucket int) {
	a, ok := &v.Attempts, v.isOK(pipeline)
	t.turn++
	from, to := v.attemptsOf(pipeline)
	for i := from; i < to; i++ {
		j := t.at[a.Name.Codes[i]]
		if j == nil || !v.attempts[i] {
			continue
		}
		j.count++
		if stage := a.Stage.At(i); stage != "" && (j.stage == "" || stage < j.stage) {
			j.stage = stage
		}
		if v.finished[a.State.Codes[i]] {
			j.finished++
			if v.failed[a.Result.Codes[i]] {
				j.failed++
			}
			if ms := a.Run[i]; ms != none && v.attemptOK[a.Result.Codes[i]] {
				v.room.take(1)
				j.run[bucket] = append(j.run[bucket], ms)
			}
		}
		if ms := a.Queue[i]; ms != none {
			v.room.take(1)
			j.queue = append(j.queue, ms)
		}
		if !ok {
			continue
		}
		if a.PathRun[i] != none && j.turn != t.turn {
			j.on, j.turn = j.on+1, t.turn
		}
		if ms := a.Saves[i]; ms != none {
			j.saves, j.saved = j.saves+ms, j.saved+1
		}
	}
}

// addBefore adds those of one of the time to compare with.
func (t *jobTallies) addBefore(v *sieve, pipeline int) {
	a := &v.Attempts
	from, to := v.attemptsOf(pipeline)
	for i := from; i < to; i++ {
		if j := t.at[a.Name.Codes[i]]; j != nil && v.attempts[i] && a.Run[i] != none && v.isAttemptOK(i) {
			v.room.take(1)
			j.before = append(j.before, a.Run[i])
		}
	}
}

// rows has one for each job of the window.
func (t *jobTallies) rows(names map[int64]string) []JobRow {
	all := []JobRow{}
	flaky := t.flakes.jobs(t.flakes.down(), names, nil)
	for _, j := range t.jobs {
		if j.count == 0 {
			continue
		}
		r := JobRow{Project: names[j.job.project], Job: j.job.job, Stage: name(j.stage), Count: j.finished, FailureRate: rate(j.failed, j.finished), Spark: []*float64{}, tally: j}
		var run []int64
		for _, bucket := range j.run {
			run = append(run, bucket...)
		}
		r.Run = summaryOf(run, 0.05, 0.5, 0.8, 0.95)
		r.QueueP95S = summaryOf(j.queue, 0.95).Percentiles.at(0.95)
		if r.VersusP50S = summaryOf(j.before, 0.5).Percentiles.at(0.5); r.VersusP50S != nil && r.Run.Count > 0 {
			r.ChangeS = new(*r.Run.Percentiles.at(0.5) - *r.VersusP50S)
			r.IsChangeClear = isClear(sampleOf(j.before), sampleOf(run))
		}
		r.PathShare = rate(j.on, t.onPath[j.job.project])
		if j.saved > 0 {
			r.SavesS = new(float64(j.saves) / float64(j.saved) / 1000)
		}
		switch f := flaky[j.job]; {
		case f != nil:
			r.FlakeRate = &f.Rate
		case r.Count > 0:
			r.FlakeRate = new(0.0)
		}
		all = append(all, r)
	}
	return all
}

// medians is that of each bucket, in seconds.
func medians(buckets [][]int64) []*float64 {
	all := make([]*float64, len(buckets))
	for k, run := range buckets {
		all[k] = summaryOf(run, 0.5).Percentiles.at(0.5)
	}
	return all
}
