package analytics

import (
	"context"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A Counted is what a filter counts of a pipeline: whether the pipeline itself,
// also by its result, and how many of its attempts, and how many of these are
// ok.
type Counted struct {
	IsCounted, IsOK bool
	Attempts, OK    int
}

// CountedBothWays asks what a filter counts in SQL, and of packed days.
func (a *Analytics) CountedBothWays(ctx context.Context, f Filter) (inSQL, ofDays map[[2]int64]Counted, err error) {
	inSQL, ofDays = map[[2]int64]Counted{}, map[[2]int64]Counted{}
	return inSQL, ofDays, a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		const ok = "SELECT p.project_id, p.id, CASE WHEN "
		var args arguments
		text := ok + s.result(&args, "p", ResultOK) + " THEN 1 ELSE 0 END FROM pipelines p WHERE " + s.pipelines(&args, s.Window)
		err := read.Rows(ctx, text, args, func(scan store.Scan) error {
			var at [2]int64
			var isOK int
			err := scan(&at[0], &at[1], &isOK)
			inSQL[at] = Counted{IsCounted: true, IsOK: isOK == 1}
			return err
		})
		if err != nil {
			return err
		}
		args = nil
		text = ok + s.result(&args, "j", ResultOK) + " THEN 1 ELSE 0 END FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id WHERE " + s.pipelinesAndJobs(&args, s.Window)
		err = read.Rows(ctx, text, args, func(scan store.Scan) error {
			var at [2]int64
			var isOK int
			err := scan(&at[0], &at[1], &isOK)
			c := inSQL[at]
			c.Attempts, c.OK = c.Attempts+1, c.OK+isOK
			inSQL[at] = c
			return err
		})
		if err != nil {
			return err
		}
		return s.days(ctx, read, func(v *sieve) error {
			for i, id := range v.Pipelines.ID {
				if !v.in(v.Window, i) || !v.of[i] {
					continue
				}
				c := Counted{IsCounted: v.counts(i)}
				c.IsOK = c.IsCounted && v.isOK(i)
				from, to := v.attemptsOf(i)
				for k := from; k < to; k++ {
					if v.attempts[k] {
						c.Attempts++
						if v.isAttemptOK(k) {
							c.OK++
						}
					}
				}
				if c.IsCounted || c.Attempts > 0 {
					ofDays[[2]int64{v.Project, id}] = c
				}
			}
			return nil
		}, s.Window)
	})
}

// SummaryOf is summaryOf.
func SummaryOf(ms []int64, fractions ...float64) Summary { return summaryOf(ms, fractions...) }
