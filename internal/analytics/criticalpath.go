package analytics

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A PathAnswer is what the critical paths of many pipelines are made of: over
// the window, in each bucket, and by job. Run and queue times of the jobs are
// means over all Count pipelines: with the three times that belong to no job,
// they are WallS.
type PathAnswer struct {
	Timeline
	PathTimes

	Buckets []PathBucket `json:"buckets"`
	Jobs    []PathJob    `json:"jobs"` // the longest in the mean first

	IsTruncated bool `json:"is_truncated"` // there are more than 1,000 jobs
}

// A PathJob is a job on critical paths.
type PathJob struct {
	Job       string   `json:"job"`
	Pipelines int64    `json:"pipelines"` // in which it is on the path
	Share     *float64 `json:"share"`     // of all
	RunS      *float64 `json:"run_s"`     // in the mean over all pipelines
	QueueS    *float64 `json:"queue_s"`
	Exclusive Summary  `json:"exclusive"` // its run and queue time on the path, over the pipelines in which it is on it
}

const maxPathJobs = 1000

// CriticalPath answers what pipelines wait for from their creation to the end
// of the first pass.
func (a *Analytics) CriticalPath(ctx context.Context, f Filter) (*PathAnswer, error) {
	line, slots, b, err := a.timeline(&f)
	if err != nil {
		return nil, err
	}
	answer := &PathAnswer{Timeline: line, Buckets: make([]PathBucket, len(slots)), Jobs: []PathJob{}}
	found := &pathTallies{bucket: b.finder(), sums: make([]pathSums, len(slots)), jobs: map[string]*pathTally{}}
	order := phaseOrder{}
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		settings, err := allSettings(ctx, read)
		if err != nil {
			return err
		}
		order.add(a.store.ServerDefinitions().Phases)
		for _, p := range s.projects {
			order.add(settings[p.id].Phases)
		}
		return s.daysWith(ctx, read, store.Steps, found.add, s.Window)
	})
	var all pathSums
	for i := range found.sums {
		all.add(&found.sums[i])
	}
	phases := order.sorted(&all)
	answer.PathTimes = all.means(phases)
	for i := range slots {
		answer.Buckets[i] = PathBucket{slots[i], found.sums[i].means(phases)}
	}
	answer.fill(found.jobs)
	return answer, err
}

// pathTallies add up critical paths.
type pathTallies struct {
	bucket func(int64) int
	sums   []pathSums // by bucket
	count  int64      // pipelines
	jobs   map[string]*pathTally
}

// A pathTally is a job on them.
type pathTally struct {
	job        string
	run, queue int64
	ms         []int64 // both, of each pipeline
	last       int64   // the pipeline that the last one is of
}

// add takes a day.
func (t *pathTallies) add(v *sieve) error {
	p := &v.Pipelines
	at := make([]*pathTally, len(v.Attempts.Name.Values))
	setUp := judged(&v.Steps.Name, IsSetUp)
	for i := range v.of {
		if !v.in(v.Window, i) || p.Wall[i] == none || !v.isOK(i) || !v.counts(i) {
			continue
		}
		if s := &t.sums[t.bucket(p.Created[i])]; t.walk(v, i, s, at, setUp) {
			s.count++
			s.wall, s.retry, s.blocked, s.gap = s.wall+p.Wall[i], s.retry+orZero(p.PathRetry[i]), s.blocked+orZero(p.PathBlocked[i]), s.gap+orZero(p.PathGap[i])
		}
	}
	return nil
}

// walk adds the jobs on the critical path of a pipeline, if it has one. at are
// the tallies of the day's jobs, setUp says which of its steps are that.
func (t *pathTallies) walk(v *sieve, pipeline int, s *pathSums, at []*pathTally, setUp []bool) (isOn bool) {
	a, steps := &v.Attempts, &v.Steps
	from, to := v.attemptsOf(pipeline)
	for k := from; k < to; k++ {
		if a.PathRun[k] == none {
			continue
		}
		if !isOn {
			isOn = true
			t.count++
		}
		code := a.Name.Codes[k]
		if at[code] == nil {
			at[code] = t.job(a.Name.At(k))
		}
		run, queue, prepared := a.PathRun[k], orZero(a.PathQueue[k]), int64(0)
		if at[code].add(t.count, run, queue) {
			v.room.take(1)
		}
		for n := steps.First[k]; n < steps.First[k+1]; n++ {
			if setUp[steps.Name.Codes[n]] {
				prepared += steps.MS[n]
			}
		}
		prepared = min(max(prepared, 0), run)
		s.queue += queue
		s.ran(a.Phase.At(k), prepared, run-prepared)
	}
	return isOn
}

func (t *pathTallies) job(name string) *pathTally {
	if t.jobs[name] == nil {
		t.jobs[name] = &pathTally{job: name}
	}
	return t.jobs[name]
}

// add takes an attempt of a pipeline, and tells whether it is the first of it.
func (t *pathTally) add(pipeline, run, queue int64) (isFirst bool) {
	t.run, t.queue = t.run+run, t.queue+queue
	if isFirst = t.last != pipeline; isFirst {
		t.last, t.ms = pipeline, append(t.ms, 0)
	}
	t.ms[len(t.ms)-1] += run + queue
	return isFirst
}

func (answer *PathAnswer) fill(jobs map[string]*pathTally) {
	all := slices.SortedFunc(maps.Values(jobs), func(x, y *pathTally) int {
		return cmp.Or(cmp.Compare(y.run+y.queue, x.run+x.queue), cmp.Compare(x.job, y.job))
	})
	if len(all) > maxPathJobs {
		all, answer.IsTruncated = all[:maxPathJobs], true
	}
	for _, t := range all {
		j := PathJob{Job: t.job, Exclusive: summaryOf(t.ms, 0.5, 0.95), RunS: meanOf(t.run, answer.Count), QueueS: meanOf(t.queue, answer.Count)}
		j.Pipelines = j.Exclusive.Count
		j.Share = rate(j.Pipelines, answer.Count)
		answer.Jobs = append(answer.Jobs, j)
	}
}

// Table has a row for each job.
func (answer *PathAnswer) Table() Table {
	t := Table{Columns: []string{"job", "pipelines", "share", "run_s", "queue_s", "exclusive_mean_s", "exclusive_p50_s", "exclusive_p95_s"}}
	for i := range answer.Jobs {
		j := &answer.Jobs[i]
		t.Rows = append(t.Rows, []any{j.Job, j.Pipelines, j.Share, j.RunS, j.QueueS, j.Exclusive.MeanS, j.Exclusive.Percentiles.at(0.5), j.Exclusive.Percentiles.at(0.95)})
	}
	return t
}
