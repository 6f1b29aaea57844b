package analytics

import (
	"context"

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
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		var args arguments
		const onPath = "EXISTS (SELECT 1 FROM jobs o WHERE o.project_id = p.project_id AND o.pipeline_id = p.id AND NOT o.is_superseded AND o.path_run_ms IS NOT NULL)"
		where := " FROM pipelines p WHERE " + s.pipelines(&args, s.Window) + " AND " + s.result(&args, "p", ResultOK) + " AND p.wall_ms IS NOT NULL AND " + onPath
		var wall, retry, blocked, gap *int64
		err := read.Rows(ctx, "SELECT COUNT(*), SUM(p.wall_ms), SUM(COALESCE(p.path_retry_ms, 0)), SUM(COALESCE(p.path_blocked_ms, 0)), SUM(COALESCE(p.path_gap_ms, 0))"+where, args, func(scan store.Scan) error {
			return scan(&answer.Count, &wall, &retry, &blocked, &gap)
		})
		if err != nil || answer.Count == 0 {
			return err
		}
		answer.WallS, answer.RetryS, answer.BlockedS, answer.GapS = meanOf(*wall, answer.Count), meanOf(*retry, answer.Count), meanOf(*blocked, answer.Count), meanOf(*gap, answer.Count)
		return answer.readJobs(ctx, read, s)
	})
	return answer, err
}

func (answer *PathAnswer) readJobs(ctx context.Context, read *store.Reading, s *scope) error {
	var args arguments
	fractions := []float64{0.5, 0.95}
	text := "SELECT g.name, COUNT(*), AVG(g.run_ms + g.queue_ms), " + read.Percentiles("g.run_ms + g.queue_ms", fractions...) + ", SUM(g.run_ms), SUM(g.queue_ms)" +
		" FROM (SELECT COALESCE(j.name, '') AS name, SUM(j.path_run_ms) AS run_ms, SUM(COALESCE(j.path_queue_ms, 0)) AS queue_ms" +
		" FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id WHERE " + s.pipelines(&args, s.Window) + " AND " + s.result(&args, "p", ResultOK) +
		" AND p.wall_ms IS NOT NULL AND NOT j.is_superseded AND j.path_run_ms IS NOT NULL GROUP BY p.project_id, p.id, COALESCE(j.name, '')) g" +
		" GROUP BY g.name ORDER BY SUM(g.run_ms + g.queue_ms) DESC, g.name LIMIT " + args.add(maxPathJobs+1)
	return read.Rows(ctx, text, args, func(scan store.Scan) error {
		if len(answer.Jobs) == maxPathJobs {
			answer.IsTruncated = true
			return nil
		}
		var j PathJob
		var run, queue int64
		err := scanSummary(scan, fractions, &j.Exclusive, &j.Job, &run, &queue)
		j.Pipelines = j.Exclusive.Count
		j.Share, j.RunS, j.QueueS = rate(j.Pipelines, answer.Count), meanOf(run, answer.Count), meanOf(queue, answer.Count)
		answer.Jobs = append(answer.Jobs, j)
		return err
	})
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
