package analytics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A JobsAnswer has a row for each job: which to look at first.
type JobsAnswer struct {
	Timeline

	Items       []JobRow `json:"items"`
	IsTruncated bool     `json:"is_truncated"` // there are more jobs than were asked for
}

// A JobRow is the attempts of a job. Null is what there is nothing of.
type JobRow struct {
	Project string  `json:"project"`
	Job     string  `json:"job"`
	Stage   *string `json:"stage"`
	Count   int64   `json:"count"` // attempts that finished
	Run     Summary `json:"run"`   // of those that were ok, or as the filter's results say
	// VersusP50S is the median of Run over the time to compare with, ChangeS the
	// difference, and IsChangeClear says that it is more than chance.
	VersusP50S    *float64 `json:"versus_p50_s"`
	ChangeS       *float64 `json:"change_s"`
	IsChangeClear bool     `json:"is_change_clear"`

	PathShare   *float64   `json:"path_share"`   // of the pipelines with a critical path, those in which the job is on it
	SavesS      *float64   `json:"saves_s"`      // by how much less wall would be in the mean if the job took no time
	FailureRate *float64   `json:"failure_rate"` // of Count
	FlakeRate   *float64   `json:"flake_rate"`   // of the commits on which it finished, those on which it flaked
	QueueP95S   *float64   `json:"queue_p95_s"`
	Spark       []*float64 `json:"spark_s"` // the median of Run in each bucket

	tally *jobTally
}

// maxSparks is how many jobs get a spark.
const maxSparks = 200

// jobOrders are what the table can be sorted by.
func jobOrders() map[string]func(*JobRow) *float64 {
	p := func(f float64) func(*JobRow) *float64 {
		return func(r *JobRow) *float64 { return r.Run.Percentiles.at(f) }
	}
	return map[string]func(*JobRow) *float64{
		"p5": p(0.05), "p50": p(0.5), "p80": p(0.8), "p95": p(0.95), "mean": func(r *JobRow) *float64 { return r.Run.MeanS },
		"count": func(r *JobRow) *float64 { return new(float64(r.Count)) }, "change": func(r *JobRow) *float64 { return r.ChangeS },
		"path_share": func(r *JobRow) *float64 { return r.PathShare }, "saves": func(r *JobRow) *float64 { return r.SavesS },
		"failure_rate": func(r *JobRow) *float64 { return r.FailureRate }, "flake_rate": func(r *JobRow) *float64 { return r.FlakeRate },
		"queue_p95": func(r *JobRow) *float64 { return r.QueueP95S }, "job": nil,
	}
}

// Jobs answers how long each job takes, waits and fails, and what it does to
// pipelines; those that could save most come first if no order is asked for.
// The page has no cursor: all rows are in its limit or left out.
func (a *Analytics) Jobs(ctx context.Context, f Filter, page Page) (*JobsAnswer, error) {
	line, slices, b, err := a.timeline(&f)
	if err != nil {
		return nil, err
	}
	by, err := jobOrder(page)
	if err != nil {
		return nil, err
	}
	answer := &JobsAnswer{Timeline: line}
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		t := newJobTallies(b, len(slices))
		names, err := s.names(ctx, read)
		if err == nil {
			err = s.days(ctx, read, t.add, s.Window, s.Versus)
		}
		if err != nil {
			return err
		}
		answer.Items = by(t.rows(names))
		if limit := page.limit(); len(answer.Items) > limit {
			answer.Items, answer.IsTruncated = answer.Items[:limit], true
		}
		for i := range answer.Items[:min(len(answer.Items), maxSparks)] {
			answer.Items[i].Spark = medians(answer.Items[i].tally.run)
		}
		return nil
	})
	return answer, err
}

// jobOrder returns what puts rows in the order of the page.
func jobOrder(page Page) (func([]JobRow) []JobRow, error) {
	name, down := strings.CutPrefix(cmp.Or(page.Sort, "-saves"), "-")
	value, known := jobOrders()[name]
	switch {
	case !known:
		return nil, &FieldError{"sort", "It is one of " + strings.Join(slices.Sorted(maps.Keys(jobOrders())), ", ") + ", with a minus before it for the greatest first."}
	case page.Cursor != "":
		return nil, &FieldError{"cursor", "This list has no pages."}
	case page.Limit < 0 || page.Limit > MaxLimit:
		return nil, &FieldError{"limit", fmt.Sprintf("It must be a whole number from 1 to %d.", MaxLimit)}
	}
	return func(all []JobRow) []JobRow {
		all = slices.DeleteFunc(all, func(r JobRow) bool { return !strings.Contains(r.Job, page.Search) })
		slices.SortFunc(all, func(x, y JobRow) int {
			byName := cmp.Or(cmp.Compare(x.Job, y.Job), cmp.Compare(x.Project, y.Project))
			if value == nil {
				if down {
					return -byName
				}
				return byName
			}
			return cmp.Or(compareKnown(value(&x), value(&y), down), byName)
		})
		return all
	}, nil
}

// compareKnown orders numbers; what is not known comes last.
func compareKnown(x, y *float64, down bool) int {
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil:
		return 1
	case y == nil:
		return -1
	case down:
		return -cmp.Compare(*x, *y)
	}
	return cmp.Compare(*x, *y)
}

// Table has a row for each job.
func (answer *JobsAnswer) Table() Table {
	t := Table{Columns: []string{
		"project", "job", "stage", "count", "run_count", "mean_s", "p5_s", "p50_s", "p80_s", "p95_s", "versus_p50_s", "change_s", "is_change_clear", "path_share", "saves_s",
		"failure_rate", "flake_rate", "queue_p95_s",
	}}
	for i := range answer.Items {
		r := &answer.Items[i]
		p := r.Run.Percentiles
		t.Rows = append(t.Rows, []any{
			r.Project, r.Job, r.Stage, r.Count, r.Run.Count, r.Run.MeanS, p.at(0.05), p.at(0.5), p.at(0.8), p.at(0.95), r.VersusP50S, r.ChangeS, r.IsChangeClear, r.PathShare, r.SavesS,
			r.FailureRate, r.FlakeRate, r.QueueP95S,
		})
	}
	return t
}
