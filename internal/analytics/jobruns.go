package analytics

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxJobRuns is how many attempts of a job are looked at one by one.
const maxJobRuns = 5000

// JobRuns are the attempts of one job, the newest first.
type JobRuns struct {
	Items     []JobRun
	Truncated bool // there are more than 5,000; the newest are there
}

// A JobRun is an attempt of a job with what is said of its pipeline.
type JobRun struct {
	Project       string
	PipelineID    int64
	CreatedAt     Time // of the pipeline
	Attempt       int64
	IsRetried     bool
	Outcome       string // Passed, Restarted (a retry that passed), Failed, Canceled, Skipped or Unfinished
	RunS, QueueS  *float64
	Critical      bool // on the critical path
	Ref, Runner   string
	FailureReason string
}

// JobRuns lists the attempts of a job, in any state.
func (a *Analytics) JobRuns(ctx context.Context, f Filter, job string) (*JobRuns, error) {
	answer := &JobRuns{}
	f.Jobs, f.Results = []string{job}, nil
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		names, err := s.names(ctx, read)
		if err != nil {
			return err
		}
		return s.days(ctx, read, func(v *sieve) error {
			answer.add(v, names[v.Project])
			return nil
		}, s.Window)
	})
	answer.cut()
	return answer, err
}

// add takes a day.
func (r *JobRuns) add(v *sieve, project string) {
	a := &v.Attempts
	outcome := v.attemptOutcomes()
	for i := range v.of {
		if !v.of[i] || !v.in(v.Window, i) {
			continue
		}
		for k := v.Pipelines.First[i]; k < v.Pipelines.First[i+1]; k++ {
			if v.attempts[k] {
				r.Items = append(r.Items, JobRun{
					Project: project, PipelineID: v.Pipelines.ID[i], CreatedAt: Time(time.UnixMilli(v.Pipelines.Created[i]).UTC()),
					Attempt: a.Number[k], IsRetried: a.IsRetried[k], Outcome: outcome(k), RunS: secondsOf(a.Run[k]), QueueS: secondsOf(a.Queue[k]),
					Critical: a.PathRun[k] != none, Ref: v.Pipelines.Ref.At(i), Runner: v.runner(k), FailureReason: a.FailureReason.At(k),
				})
			}
		}
	}
	if len(r.Items) > 4*maxJobRuns { // days come in no order
		r.cut()
	}
}

// cut leaves the newest, in order.
func (r *JobRuns) cut() {
	slices.SortStableFunc(r.Items, func(x, y JobRun) int {
		return cmp.Or(y.CreatedAt.Time().Compare(x.CreatedAt.Time()), cmp.Compare(y.PipelineID, x.PipelineID), cmp.Compare(x.Project, y.Project), cmp.Compare(y.Attempt, x.Attempt))
	})
	if len(r.Items) > maxJobRuns {
		r.Items, r.Truncated = r.Items[:maxJobRuns], true
	}
}

// secondsOf milliseconds, where there are any.
func secondsOf(ms int64) *float64 {
	if ms == none {
		return nil
	}
	return new(float64(ms) / 1000)
}
