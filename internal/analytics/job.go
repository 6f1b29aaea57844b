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
}

// JobSums sum some attempts up.
type JobSums struct {
	Run   Summary `json:"run"`   // of attempts that were ok, or as the filter's results say
	Queue Summary `json:"queue"` // of all attempts that started
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
	if len(f.Jobs) != 1 {
		return nil, &FieldError{"job", "Name one job."}
	}
	line, slices, b, err := a.timeline(&f)
	if err != nil {
		return nil, err
	}
	answer := &JobAnswer{
		Timeline: line, Job: f.Jobs[0], Buckets: make([]JobBucket, len(slices)), Histogram: []Bin{}, ByRunner: []JobGroup{}, ByRef: []JobGroup{}, FailureReasons: []ReasonCount{},
	}
	for i := range slices {
		answer.Buckets[i].Slice = slices[i]
	}
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		var whole int64
		err := s.attemptGroups(ctx, read, "0", 1, &whole, func(sums JobSums) { answer.JobSums = sums })
		if err == nil {
			var k int
			err = s.attemptGroups(ctx, read, b.sql("p.created_ms"), len(slices), &k, func(sums JobSums) { answer.Buckets[k].JobSums = sums })
		}
		if err == nil {
			err = s.jobGroups(ctx, read, "COALESCE(j.runner_name, j.runner_id, '')", &answer.ByRunner)
		}
		if err == nil {
			err = s.jobGroups(ctx, read, "COALESCE(p.ref, '')", &answer.ByRef)
		}
		if err == nil {
			err = s.reasons(ctx, read, &answer.FailureReasons)
		}
		if err == nil {
			err = answer.bins(ctx, read, s)
		}
		return err
	})
	return answer, err
}

func (s *scope) jobGroups(ctx context.Context, read *store.Reading, key string, to *[]JobGroup) error {
	var name string
	return s.attemptGroups(ctx, read, key, maxGroups, &name, func(sums JobSums) { *to = append(*to, JobGroup{name, sums}) })
}

// attemptGroups sums up attempts by a key in SQL, the largest groups first. It
// puts the key of each where at shows before it hands on the sums.
func (s *scope) attemptGroups(ctx context.Context, read *store.Reading, key string, limit int, at any, take func(JobSums)) error {
	var args arguments
	fractions := []float64{0.05, 0.5, 0.8, 0.95}
	text := "SELECT g.k, COUNT(g.run_ms), AVG(g.run_ms), " + read.Percentiles("g.run_ms", fractions...) + ", COUNT(g.queue_ms), AVG(g.queue_ms), " + read.Percentiles("g.queue_ms", fractions...)
	count := func(outcome string) string { return ", COUNT(CASE WHEN g.outcome = '" + outcome + "' THEN 1 END)" }
	text += count(Passed) + count(Restarted) + count(Failed) + count(Canceled)
	text += " FROM (SELECT " + key + " AS k, CASE WHEN " + s.result(&args, "j", ResultOK) + " THEN j.run_ms END AS run_ms, j.queue_ms, " + attemptOutcome + " AS outcome" + s.attemptsFrom(&args, s.Window) +
		") g GROUP BY g.k ORDER BY COUNT(*) DESC, g.k LIMIT " + args.add(limit)
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var sums JobSums
		var values store.Floats
		queue := &sums.Queue
		if err := scanSummary(scan, fractions, &sums.Run, at, &queue.Count, secondsIn{&queue.MeanS}, &values, &sums.Passed, &sums.Restarted, &sums.Failed, &sums.Canceled); err != nil {
			return err
		}
		queue.Percentiles = percentilesOf(fractions, values)
		take(sums)
		return nil
	})
}

func (s *scope) reasons(ctx context.Context, read *store.Reading, to *[]ReasonCount) error {
	var args arguments
	text := "SELECT COALESCE(j.failure_reason, ''), COUNT(*)" + s.attemptsFrom(&args, s.Window) + " AND " + failedSQL +
		" GROUP BY COALESCE(j.failure_reason, '') ORDER BY COUNT(*) DESC, 1 LIMIT " + args.add(maxGroups)
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var r ReasonCount
		err := scan(&r.Reason, &r.Count)
		*to = append(*to, r)
		return err
	})
}

// bins counts run times in bins of a round width, up to the p95 and half of it
// more; what is beyond is in the last.
func (answer *JobAnswer) bins(ctx context.Context, read *store.Reading, s *scope) error {
	low, high := answer.Run.Percentiles.at(0.05), answer.Run.Percentiles.at(0.95)
	if low == nil {
		return nil
	}
	width := roundUp(1.5 * *high / histogram)
	n := int(math.Ceil(1.5**high/width)) + 1
	answer.Histogram = make([]Bin, n)
	for i := range answer.Histogram {
		answer.Histogram[i] = Bin{FromS: float64(i) * width, ToS: new(float64(i+1) * width)}
	}
	answer.Histogram[n-1].ToS = nil
	var args arguments
	step := digits(int64(math.Round(width * 1000)))
	last := digits(int64(n - 1))
	text := "SELECT g.k, COUNT(*) FROM (SELECT CASE WHEN j.run_ms / " + step + " > " + last + " THEN " + last + " ELSE j.run_ms / " + step + " END AS k" +
		s.attemptsFrom(&args, s.Window) + " AND " + s.result(&args, "j", ResultOK) + " AND j.run_ms >= 0) g GROUP BY g.k"
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var k, count int64
		if err := scan(&k, &count); err != nil {
			return err
		}
		answer.Histogram[k].Count = count
		return nil
	})
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
