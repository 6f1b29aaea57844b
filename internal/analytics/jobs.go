package analytics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	// VersusP50S is the median of Run over the time to compare with, and ChangeS
	// the difference.
	VersusP50S  *float64   `json:"versus_p50_s"`
	ChangeS     *float64   `json:"change_s"`
	PathShare   *float64   `json:"path_share"`   // of the pipelines with a critical path, those in which the job is on it
	SavesS      *float64   `json:"saves_s"`      // by how much less wall would be in the mean if the job took no time
	FailureRate *float64   `json:"failure_rate"` // of Count
	FlakeRate   *float64   `json:"flake_rate"`   // of the commits on which it finished, those on which it flaked
	QueueP95S   *float64   `json:"queue_p95_s"`
	Spark       []*float64 `json:"spark_s"` // the median of Run in each bucket

	key projectJob
}

// maxJobRows is how many jobs the table knows; maxSparks how many get a spark.
const (
	maxJobRows = 10_000
	maxSparks  = 200
)

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
		rows, err := s.jobRows(ctx, read)
		if err == nil {
			err = s.jobPaths(ctx, read, rows)
		}
		if err == nil {
			err = s.jobVersus(ctx, read, rows)
		}
		if err == nil {
			err = s.jobFlakes(ctx, read, rows)
		}
		if err != nil {
			return err
		}
		answer.Items = by(rows)
		if limit := page.limit(); len(answer.Items) > limit {
			answer.Items, answer.IsTruncated = answer.Items[:limit], true
		}
		return s.jobSparks(ctx, read, answer.Items[:min(len(answer.Items), maxSparks)], b, len(slices))
	})
	return answer, err
}

// jobOrder returns what puts rows in the order of the page.
func jobOrder(page Page) (func(map[projectJob]*JobRow) []JobRow, error) {
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
	return func(rows map[projectJob]*JobRow) []JobRow {
		all := []JobRow{}
		for _, r := range rows {
			if page.Search == "" || strings.Contains(r.Job, page.Search) {
				all = append(all, *r)
			}
		}
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

// attemptsFrom joins attempts to pipelines that count.
func (s *scope) attemptsFrom(args *arguments, w Window) string {
	return " FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id WHERE " + s.pipelinesAndJobs(args, w) + " AND j.name IS NOT NULL"
}

func (s *scope) jobRows(ctx context.Context, read *store.Reading) (map[projectJob]*JobRow, error) {
	names, err := s.names(ctx, read)
	if err != nil {
		return nil, err
	}
	var args arguments
	fractions := []float64{0.05, 0.5, 0.8, 0.95}
	text := "SELECT g.project_id, g.name, COUNT(g.run_ms), AVG(g.run_ms), " + read.Percentiles("g.run_ms", fractions...) + ", MIN(g.stage), SUM(g.finished), SUM(g.failed), " +
		read.Percentiles("g.queue_ms", 0.95) + " FROM (SELECT j.project_id, j.name, j.stage, CASE WHEN " + s.result(&args, "j", ResultOK) + " THEN j.run_ms END AS run_ms, j.queue_ms," +
		" CASE WHEN j.state = 'finished' THEN 1 ELSE 0 END AS finished, CASE WHEN " + failedSQL + " THEN 1 ELSE 0 END AS failed" + s.attemptsFrom(&args, s.Window) +
		") g GROUP BY g.project_id, g.name LIMIT " + args.add(maxJobRows)
	all := map[projectJob]*JobRow{}
	err = read.Rows(ctx, text, args, func(scan store.Scan) error {
		r := &JobRow{Spark: []*float64{}}
		var failed int64
		var queue store.Floats
		var key projectJob
		err := scanSummaryOf(scan, fractions, &r.Run, []any{&key.project, &key.job}, &r.Stage, &r.Count, &failed, &queue)
		r.Project, r.Job, r.key = names[key.project], key.job, key
		r.FailureRate = rate(failed, r.Count)
		if len(queue) == 1 {
			r.QueueP95S = new(queue[0] / 1000)
		}
		all[key] = r
		return err
	})
	return all, err
}

// jobPaths says how often a job is on the critical path, and what it could
// save, of pipelines that are ok or as the filter's results say.
func (s *scope) jobPaths(ctx context.Context, read *store.Reading, rows map[projectJob]*JobRow) error {
	var args arguments
	text := "SELECT j.project_id, COUNT(DISTINCT p.id) FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id WHERE " + s.pipelines(&args, s.Window) +
		" AND " + s.result(&args, "p", ResultOK) + " AND NOT j.is_superseded AND j.path_run_ms IS NOT NULL GROUP BY j.project_id"
	pipelines := map[int64]int64{}
	err := read.Rows(ctx, text, args, func(scan store.Scan) error {
		var project, n int64
		err := scan(&project, &n)
		pipelines[project] = n
		return err
	})
	if err != nil {
		return err
	}
	for key, r := range rows {
		r.PathShare = rate(0, pipelines[key.project])
	}
	args = nil
	text = "SELECT j.project_id, j.name, COUNT(DISTINCT CASE WHEN j.path_run_ms IS NOT NULL THEN p.id END), AVG(j.saves_ms)" + s.attemptsFrom(&args, s.Window) +
		" AND " + s.result(&args, "p", ResultOK) + " GROUP BY j.project_id, j.name"
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var key projectJob
		var on int64
		var saves *float64
		err := scan(&key.project, &key.job, &on, secondsIn{&saves})
		if r := rows[key]; r != nil {
			r.PathShare, r.SavesS = rate(on, pipelines[key.project]), saves
		}
		return err
	})
}

func (s *scope) jobVersus(ctx context.Context, read *store.Reading, rows map[projectJob]*JobRow) error {
	if s.Versus.IsZero() {
		return nil
	}
	var args arguments
	text := "SELECT j.project_id, j.name, " + read.Percentiles("j.run_ms", 0.5) + s.attemptsFrom(&args, s.Versus) + " AND " + s.result(&args, "j", ResultOK) +
		" AND j.run_ms IS NOT NULL GROUP BY j.project_id, j.name"
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var key projectJob
		var p50 store.Floats
		if err := scan(&key.project, &key.job, &p50); err != nil || rows[key] == nil || len(p50) == 0 {
			return err
		}
		r := rows[key]
		r.VersusP50S = new(p50[0] / 1000)
		if now := r.Run.Percentiles.at(0.5); now != nil {
			r.ChangeS = new(*now - *r.VersusP50S)
		}
		return nil
	})
}

// jobFlakes takes the rate of the question of flaky jobs; a job that finished
// and is none of those has flaked on no commit.
func (s *scope) jobFlakes(ctx context.Context, read *store.Reading, rows map[projectJob]*JobRow) error {
	names, err := s.names(ctx, read)
	if err != nil {
		return err
	}
	down, err := s.outages(ctx, read)
	if err != nil {
		return err
	}
	flaky, err := s.flaky(ctx, read, down, names)
	for key, r := range rows {
		switch f := flaky[key]; {
		case f != nil:
			r.FlakeRate = &f.Rate
		case r.Count > 0:
			r.FlakeRate = new(0.0)
		}
	}
	return err
}

func (s *scope) jobSparks(ctx context.Context, read *store.Reading, rows []JobRow, b *bucketing, buckets int) error {
	if len(rows) == 0 {
		return nil
	}
	at := map[projectJob]*JobRow{}
	jobs := map[string]bool{}
	for i := range rows {
		rows[i].Spark = make([]*float64, buckets)
		at[rows[i].key], jobs[rows[i].Job] = &rows[i], true
	}
	var args arguments
	text := "SELECT g.project_id, g.name, g.k, " + read.Percentiles("g.run_ms", 0.5) + " FROM (SELECT j.project_id, j.name, " + b.sql("p.created_ms") + " AS k, j.run_ms" +
		s.attemptsFrom(&args, s.Window) + " AND " + s.result(&args, "j", ResultOK) + " AND j.run_ms IS NOT NULL AND j.name IN (" + args.list(slices.Sorted(maps.Keys(jobs))) +
		")) g GROUP BY g.project_id, g.name, g.k"
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		var key projectJob
		var k int
		var p50 store.Floats
		if err := scan(&key.project, &key.job, &k, &p50); err != nil || at[key] == nil || len(p50) == 0 {
			return err
		}
		at[key].Spark[k] = new(p50[0] / 1000)
		return nil
	})
}

// Table has a row for each job.
func (answer *JobsAnswer) Table() Table {
	t := Table{Columns: []string{
		"project", "job", "stage", "count", "run_count", "mean_s", "p5_s", "p50_s", "p80_s", "p95_s", "versus_p50_s", "change_s", "path_share", "saves_s",
		"failure_rate", "flake_rate", "queue_p95_s",
	}}
	for i := range answer.Items {
		r := &answer.Items[i]
		p := r.Run.Percentiles
		t.Rows = append(t.Rows, []any{
			r.Project, r.Job, r.Stage, r.Count, r.Run.Count, r.Run.MeanS, p.at(0.05), p.at(0.5), p.at(0.8), p.at(0.95), r.VersusP50S, r.ChangeS, r.PathShare, r.SavesS,
			r.FailureRate, r.FlakeRate, r.QueueP95S,
		})
	}
	return t
}

func digits(n int64) string { return strconv.FormatInt(n, 10) }

// number is a whole number that SQL wrote as text.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0 // it is always one
	}
	return n
}
