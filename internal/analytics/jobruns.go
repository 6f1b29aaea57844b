package analytics

import (
	"context"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxJobRuns is how many attempts of a job are looked at one by one.
const maxJobRuns = 5000

// attemptOutcome is how an attempt j ended, in SQL.
const attemptOutcome = `CASE WHEN j.state IS NULL OR j.state <> 'finished' THEN 'unfinished' WHEN j.result IN ('failure', 'error', 'timeout') THEN 'failed'
				WHEN j.result = 'cancellation' THEN 'canceled' WHEN j.result = 'skip' THEN 'skipped' WHEN j.attempt > 1 THEN 'restarted' ELSE 'passed' END`

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
		var args arguments
		text := `SELECT pr.name, p.id, p.created_ms, j.attempt, j.is_retried,
			` + attemptOutcome + `, j.run_ms, j.queue_ms, CASE WHEN j.path_run_ms IS NULL THEN 0 ELSE 1 END, COALESCE(p.ref, ''), COALESCE(j.runner_name, j.runner_id, ''), COALESCE(j.failure_reason, '')
			FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id JOIN projects pr ON pr.id = p.project_id
			WHERE ` + s.pipelinesAndJobs(&args, s.Window) + " ORDER BY p.created_ms DESC, p.id DESC, j.attempt DESC LIMIT " + args.add(maxJobRuns+1)
		return read.Rows(ctx, text, args, func(scan store.Scan) error {
			var r JobRun
			var created int64
			var critical int
			var run, queue *int64
			err := scan(&r.Project, &r.PipelineID, &created, &r.Attempt, &r.IsRetried, &r.Outcome, &run, &queue, &critical, &r.Ref, &r.Runner, &r.FailureReason)
			r.CreatedAt, r.Critical, r.RunS, r.QueueS = Time(time.UnixMilli(created).UTC()), critical == 1, milliseconds(run), milliseconds(queue)
			answer.Items = append(answer.Items, r)
			return err
		})
	})
	if len(answer.Items) > maxJobRuns {
		answer.Items, answer.Truncated = answer.Items[:maxJobRuns], true
	}
	return answer, err
}

// milliseconds are seconds, where there are any.
func milliseconds(ms *int64) *float64 {
	if ms == nil {
		return nil
	}
	return new(float64(*ms) / 1000)
}
