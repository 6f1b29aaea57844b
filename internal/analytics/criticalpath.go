package analytics

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A PathAnswer is what the critical paths of many pipelines are made of. Run
// and queue times of the jobs, and the three times that belong to no job, are
// means over all Count pipelines: together they are WallS.
type PathAnswer struct {
	Timeline

	Count    int64     `json:"count"` // pipelines with a critical path
	WallS    *float64  `json:"wall_s"`
	RetryS   *float64  `json:"retry_s"`
	BlockedS *float64  `json:"blocked_s"`
	GapS     *float64  `json:"gap_s"`
	Jobs     []PathJob `json:"jobs"` // the longest in the mean first

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
	answer := &PathAnswer{Timeline: timeOf(&f, f.Window, f.BucketWidth()), Jobs: []PathJob{}}
	found := &pathTallies{jobs: map[string]*pathTally{}}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		return s.days(ctx, read, found.add, s.Window)
	})
	if answer.Count = found.count; answer.Count > 0 {
		answer.WallS, answer.RetryS, answer.BlockedS, answer.GapS = meanOf(found.wall, answer.Count), meanOf(found.retry, answer.Count), meanOf(found.blocked, answer.Count), meanOf(found.gap, answer.Count)
		answer.fill(found.jobs)
	}
	return answer, err
}

// pathTallies add up critical paths.
type pathTallies struct {
	count, wall, retry, blocked, gap int64
	jobs                             map[string]*pathTally
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
	p, a := &v.Pipelines, &v.Attempts
	at := make([]*pathTally, len(a.Name.Values))
	for i := range v.of {
		if !v.in(v.Window, i) || p.Wall[i] == none || !v.isOK(i) || !v.counts(i) {
			continue
		}
		from, to := v.attemptsOf(i)
		isOn := false
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
			at[code].add(t.count, a.PathRun[k], orZero(a.PathQueue[k]))
		}
		if isOn {
			t.wall, t.retry, t.blocked, t.gap = t.wall+p.Wall[i], t.retry+orZero(p.PathRetry[i]), t.blocked+orZero(p.PathBlocked[i]), t.gap+orZero(p.PathGap[i])
		}
	}
	return nil
}

func (t *pathTallies) job(name string) *pathTally {
	if t.jobs[name] == nil {
		t.jobs[name] = &pathTally{job: name}
	}
	return t.jobs[name]
}

// add takes an attempt of a pipeline.
func (t *pathTally) add(pipeline, run, queue int64) {
	t.run, t.queue = t.run+run, t.queue+queue
	if t.last != pipeline {
		t.last, t.ms = pipeline, append(t.ms, 0)
	}
	t.ms[len(t.ms)-1] += run + queue
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
