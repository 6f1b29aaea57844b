package analytics

import (
	"context"
	"math"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A JobAnswer is one job: whether it is slow, spreads, or waits.
type JobAnswer struct {
	Timeline

	Job string `json:"job"`
	JobSums
	Buckets        []JobBucket   `json:"buckets"`
	Histogram      []Bin         `json:"histogram"` // of Run
	ByRunner       []JobGroup    `json:"by_runner"` // the most used first, at most 50
	ByRef          []JobGroup    `json:"by_ref"`
	FailureReasons []ReasonCount `json:"failure_reasons"` // the most frequent first, at most 50
	// FlakyCommits are those on which it failed and passed, whatever the filter's
	// results say: the latest first, at most 50.
	FlakyCommits []FlakyCommit `json:"flaky_commits"`
}

// JobSums sum some attempts up.
type JobSums struct {
	Run   Summary `json:"run"`   // of attempts that were ok, or as the filter's results say
	Queue Summary `json:"queue"` // of all attempts that started
	// SetUpS is how much of the mean of Run its set-up steps took; null where none
	// of its attempts tells any.
	SetUpS *float64 `json:"set_up_s"`
	// How attempts ended, whatever the filter's results say: by themselves at the
	// first try, or when retried; with a failure; or canceled.
	Passed    int64 `json:"passed"`
	Restarted int64 `json:"restarted"`
	Failed    int64 `json:"failed"`
	Canceled  int64 `json:"canceled"`
}

// A JobBucket is one slice of the window.
type JobBucket struct {
	Slice
	JobSums
}

// A Bin is how many attempts ran from FromS to before ToS. The last bin has
// all that ran longer, and no end.
type Bin struct {
	FromS float64  `json:"from_s"`
	ToS   *float64 `json:"to_s"`
	Count int64    `json:"count"`
}

// A JobGroup is the attempts of one runner, or on one ref.
type JobGroup struct {
	Name string `json:"name"` // empty: nobody said
	JobSums

	Spark []*float64 `json:"spark_s"` // the median of Run in each bucket
}

// A ReasonCount is how often attempts failed for a reason.
type ReasonCount struct {
	Reason string `json:"reason"` // empty: nobody said
	Count  int64  `json:"count"`
}

const (
	maxGroups = 50
	histogram = 40 // bins at most
)

// Job answers all about the one job that the filter names.
func (a *Analytics) Job(ctx context.Context, f Filter) (*JobAnswer, error) {
	return a.job(ctx, f, func(*sieve, string) {})
}

// JobAndRuns is Job with JobRuns, for what one of them reads.
func (a *Analytics) JobAndRuns(ctx context.Context, f Filter) (*JobAnswer, *JobRuns, error) {
	runs := &JobRuns{}
	answer, err := a.job(ctx, f, runs.add)
	runs.cut()
	return answer, runs, err
}

// job hands each day, with its project's name, to also.
func (a *Analytics) job(ctx context.Context, f Filter, also func(*sieve, string)) (*JobAnswer, error) {
	if len(f.Jobs) != 1 {
		return nil, &FieldError{"job", "Name one job."}
	}
	line, slices, b, err := a.timeline(&f)
	if err != nil {
		return nil, err
	}
	answer := &JobAnswer{Timeline: line, Job: f.Jobs[0], Buckets: make([]JobBucket, len(slices))}
	t, flaked := newJobSumming(b, len(slices)), newFlakes()
	flaked.keepTries()
	var names map[int64]string
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) (err error) {
		if names, err = s.names(ctx, read); err != nil {
			return err
		}
		return s.daysWith(ctx, read, store.Steps, func(v *sieve) error {
			also(v, names[v.Project])
			flaked.add(v)
			return t.add(v)
		}, s.Window)
	})
	answer.JobSums, answer.Histogram = t.whole(), t.bins()
	for i := range slices {
		answer.Buckets[i] = JobBucket{slices[i], t.buckets[i].sums()}
	}
	answer.ByRunner, answer.ByRef, answer.FailureReasons = groupsOf(t.byRunner), groupsOf(t.byRef), t.mostReasons()
	answer.FlakyCommits = flaked.commitsOf(names)
	return answer, err
}

// roundUp is the next round number of seconds: 1, 2 or 5 and zeros, at least a
// tenth.
func roundUp(s float64) float64 {
	for unit := 0.1; ; unit *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if step*unit >= s {
				return math.Round(step*unit*10) / 10
			}
		}
	}
}

// Table has a row for each bucket.
func (answer *JobAnswer) Table() Table {
	t := Table{Columns: []string{
		"start", "end", "is_running", "count", "mean_s", "p5_s", "p50_s", "p80_s", "p95_s", "queue_count", "queue_mean_s", "queue_p50_s", "queue_p95_s", "passed", "restarted", "failed", "canceled",
	}}
	for i := range answer.Buckets {
		b := &answer.Buckets[i]
		p, q := b.Run.Percentiles, b.Queue.Percentiles
		t.Rows = append(t.Rows, []any{
			b.Start, b.End, b.IsRunning, b.Run.Count, b.Run.MeanS, p.at(0.05), p.at(0.5), p.at(0.8), p.at(0.95), b.Queue.Count, b.Queue.MeanS, q.at(0.5), q.at(0.95), b.Passed, b.Restarted, b.Failed, b.Canceled,
		})
	}
	return t
}
