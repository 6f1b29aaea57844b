package analytics

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// flakes is what became of each job on each commit, and when nearly all
// attempts of a project failed, day by day.
type flakes struct {
	projects map[int64]*projectFlakes
	keeps    bool // the attempts of all jobs
}

// projectFlakes are those of a project. Commits are counted; a pipeline without
// one counts as one.
type projectFlakes struct {
	commits map[string]int
	counted int
	jobs    map[string]*jobFlakes
	ended   map[int64]*tally // by its window

	of    []int // of the commits of the day: its number, or -1 until it is asked for
	added []added
}

// jobFlakes are those of a job. Most attempts pass, of which no more is kept
// than on which commits.
type jobFlakes struct {
	passed   numberSet
	failures []failure
	tries    []try // where all are kept
}

// A failure is an attempt that failed.
type failure struct {
	commit  int
	created int64 // of its pipeline, Unix milliseconds
	end     int64 // likewise; where nobody told, the creation of its pipeline
	ranMS   int64
	added   added // where it was retried
}

func newFlakes() flakes { return flakes{projects: map[int64]*projectFlakes{}} }

func (f *flakes) project(id int64) *projectFlakes {
	if f.projects[id] == nil {
		f.projects[id] = &projectFlakes{commits: map[string]int{}, jobs: map[string]*jobFlakes{}, ended: map[int64]*tally{}}
	}
	return f.projects[id]
}

// add takes a day.
func (f *flakes) add(v *sieve) {
	p := f.project(v.Project)
	p.of = p.of[:0]
	for range v.Pipelines.Commit.Values {
		p.of = append(p.of, -1)
	}
	var at []*jobFlakes
	for _, name := range v.Attempts.Name.Values {
		if name != "" && p.jobs[name] == nil {
			p.jobs[name] = &jobFlakes{}
		}
		at = append(at, p.jobs[name])
	}
	for i := range v.of {
		if !v.in(v.Window, i) {
			continue
		}
		p.addEnds(v, i)
		if v.counts(i) {
			p.addPipeline(v, i, at, f.keeps)
		}
	}
}

// addEnds counts what ended when, whatever the filter asks of pipelines besides
// project and time.
func (p *projectFlakes) addEnds(v *sieve, pipeline int) {
	a := &v.Attempts
	var t *tally
	from, to := v.attemptsOf(pipeline)
	for i := from; i < to; i++ {
		failed := v.failed[a.Result.Codes[i]]
		if a.Finished[i] == none || !failed && !v.passed[a.Result.Codes[i]] {
			continue
		}
		if window := a.Finished[i] / outageWindow.Milliseconds(); t == nil || t.window != window {
			if t = p.ended[window]; t == nil {
				t = &tally{window: window}
				p.ended[window] = t
			}
		}
		t.ended++
		if failed {
			t.failed++
		}
	}
}

// addPipeline takes the attempts of a pipeline that counts, of the jobs at the
// places of their names; it keeps all of them, or what failed alone.
func (p *projectFlakes) addPipeline(v *sieve, pipeline int, at []*jobFlakes, keeps bool) {
	a := &v.Attempts
	commit := p.commit(v, pipeline)
	p.added = p.added[:0]
	from, to := v.attemptsOf(pipeline)
	for i := from; i < to; i++ {
		j, result := at[a.Name.Codes[i]], a.Result.Codes[i]
		switch {
		case j == nil || !v.attempts[i]:
		case v.passed[result]:
			j.passed.add(commit)
			if keeps {
				j.keep(v, pipeline, i, failure{commit: commit, end: cmp.Or(orZero(a.Finished[i]), v.Pipelines.Created[pipeline])}, false)
			}
		case v.failed[result]:
			if len(p.added) == 0 {
				p.added = v.added(pipeline, p.added)
			}
			v.room.take(failureNumbers)
			one := failure{commit, v.Pipelines.Created[pipeline], cmp.Or(orZero(a.Finished[i]), v.Pipelines.Created[pipeline]), orZero(a.Run[i]), p.added[i-from]}
			j.failures = append(j.failures, one)
			if keeps {
				j.keep(v, pipeline, i, one, true)
			}
		}
	}
}

// commit is the number of the pipeline's commit.
func (p *projectFlakes) commit(v *sieve, pipeline int) int {
	code := v.Pipelines.Commit.Codes[pipeline]
	if code == 0 {
		p.counted++
		return p.counted - 1
	}
	if p.of[code] < 0 {
		sha := v.Pipelines.Commit.Values[code]
		n, known := p.commits[sha]
		if !known {
			v.room.take(commitNumbers)
			n = p.counted
			p.commits[sha] = n
			p.counted++
		}
		p.of[code] = n
	}
	return p.of[code]
}

// down is when nearly all attempts of a project failed, by its id.
func (f *flakes) down() map[int64][]Window {
	all := map[int64][]Window{}
	for id, p := range f.projects {
		var tallies []tally
		for _, t := range p.ended {
			if t.isOutage() {
				tallies = append(tallies, *t)
			}
		}
		slices.SortFunc(tallies, func(a, b tally) int { return int(a.window - b.window) })
		if len(tallies) > 0 {
			all[id] = outages(tallies)
		}
	}
	return all
}

// jobs are the jobs that flaked, and on how many commits they finished. Failures
// in outages are left out; what the others cost is told by the weeks between
// edges, too.
func (f *flakes) jobs(down map[int64][]Window, names map[int64]string, edges []time.Time) map[projectJob]*FlakyJob {
	all := map[projectJob]*FlakyJob{}
	for id, p := range f.projects {
		for name, j := range p.jobs {
			if one := j.flaky(down[id], edges); one != nil {
				one.Project, one.Job = names[id], name
				all[projectJob{id, name}] = one
			}
		}
	}
	return all
}

// flaky is nil where the job failed and passed on no commit.
func (j *jobFlakes) flaky(down []Window, edges []time.Time) *FlakyJob {
	f := &FlakyJob{Commits: int64(j.passed.count()), WeeksRunnerS: make([]float64, max(0, len(edges)-1))}
	var flaked, failed numberSet
	isFirst := true
	for _, one := range j.failures {
		if isDown(down, one.end) {
			continue
		}
		if !j.passed.has(one.commit) {
			failed.add(one.commit)
			continue
		}
		end := Time(instant(one.end))
		if isFirst {
			f.FirstAt, f.LastAt, isFirst = end, end, false
		}
		flaked.add(one.commit)
		f.ran(one.ranMS)
		if next := sort.Search(len(edges), func(i int) bool { return edges[i].UnixMilli() > one.created }); len(edges) > 0 {
			f.WeeksRunnerS[next-1] += float64(one.ranMS) / 1000
		}
		f.pay(one.added)
		if end.compare(f.FirstAt) < 0 {
			f.FirstAt = end
		}
		if end.compare(f.LastAt) > 0 {
			f.LastAt = end
		}
	}
	f.Flaked, f.Commits = int64(flaked.count()), f.Commits+int64(failed.count())
	if f.Flaked == 0 {
		return nil
	}
	f.Rate, f.Interval = float64(f.Flaked)/float64(f.Commits), wilson(f.Flaked, f.Commits)
	return f
}
