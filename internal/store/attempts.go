package store

import (
	"context"
	"database/sql"
	"time"
)

// An Attempt is one execution of a job as it is shown.
type Attempt struct {
	Key, Job, Stage, Kind, Phase            string
	Number                                  int64 // 1: the first of its job
	IsRetried                               bool  // a later attempt of the job exists
	State, Result, RawStatus, FailureReason string
	AllowFailure, Manual                    *bool
	CreatedAt, StartedAt, FinishedAt        time.Time
	QueueS, RunS                            *float64 // seconds
	RunnerID, RunnerName, Environment, URL  string
	Needs                                   []string
	Steps                                   []Step
}

// A Step is a named, timed part of an attempt.
type Step struct {
	Name, Source string // report, sections, markers, or legacy
	StartedAt    time.Time
	DurationS    float64
}

// Attempts returns the attempts of a pipeline with their steps, in the order
// in which they ran. Rows of a legacy report of which another source tells are
// left out; their steps are with the attempts that they are.
func (s *Store) Attempts(ctx context.Context, project, pipeline int64) (all []Attempt, err error) {
	const query = `SELECT attempt_key, name, stage, kind, phase, attempt, is_retried, state, result, raw_status, failure_reason, allow_failure, manual,
		created_ms, started_ms, finished_ms, queue_ms, run_ms, runner_id, runner_name, environment, url, needs
		FROM jobs WHERE project_id = $1 AND pipeline_id = $2 AND NOT is_superseded
		ORDER BY COALESCE(created_ms, started_ms, 0), COALESCE(started_ms, 0), attempt, attempt_key`
	byKey := map[string]int{}
	err = s.read(ctx, query, func(rows *sql.Rows) error {
		a, err := scanAttempt(rows)
		byKey[a.Key] = len(all)
		all = append(all, a)
		return err
	}, project, pipeline)
	if err != nil {
		return nil, err
	}
	add := func(key string, step Step) {
		if i, known := byKey[key]; known {
			all[i].Steps = append(all[i].Steps, step)
		}
	}
	if err := s.readSteps(ctx, project, pipeline, add); err != nil {
		return nil, err
	}
	return all, s.readLegacySteps(ctx, project, pipeline, add)
}

func (s *Store) readSteps(ctx context.Context, project, pipeline int64, add func(key string, step Step)) error {
	const query = `SELECT attempt_key, name, source, started_ms, duration_ms FROM steps
		WHERE project_id = $1 AND pipeline_id = $2 ORDER BY attempt_key, source, position`
	return s.read(ctx, query, func(rows *sql.Rows) error {
		var (
			key         string
			step        Step
			started, ms sql.NullInt64
		)
		err := rows.Scan(&key, &step.Name, &step.Source, &started, &ms)
		step.StartedAt, step.DurationS = timeOf(started), float64(ms.Int64)/1000
		add(key, step)
		return err
	}, project, pipeline)
}

// readLegacySteps reads the steps that a legacy report posted beside its jobs.
func (s *Store) readLegacySteps(ctx context.Context, project, pipeline int64, add func(key string, step Step)) error {
	const query = `SELECT COALESCE(same_key, attempt_key), pull_s, up_s, up_without_pull_s, e2e_s FROM jobs
		WHERE project_id = $1 AND pipeline_id = $2 AND legacy_kind = 'job' ORDER BY position`
	names := []string{"pull", "up", "up_without_pull", "e2e"}
	return s.read(ctx, query, func(rows *sql.Rows) error {
		var key string
		var seconds [4]sql.NullFloat64
		err := rows.Scan(&key, &seconds[0], &seconds[1], &seconds[2], &seconds[3])
		for i, d := range seconds {
			if d.Valid {
				add(key, Step{Name: names[i], Source: "legacy", DurationS: d.Float64})
			}
		}
		return err
	}, project, pipeline)
}

func scanAttempt(rows *sql.Rows) (Attempt, error) {
	var (
		a                                                    Attempt
		name, stage, kind, phase, state, result, raw, reason sql.NullString
		runnerID, runner, environment, url, needs            sql.NullString
		allowFailure, manual                                 sql.NullBool
		created, started, finished, queue, run               sql.NullInt64
	)
	if err := rows.Scan(&a.Key, &name, &stage, &kind, &phase, &a.Number, &a.IsRetried, &state, &result, &raw, &reason, &allowFailure, &manual,
		&created, &started, &finished, &queue, &run, &runnerID, &runner, &environment, &url, &needs); err != nil {
		return a, err
	}
	a.Job, a.Stage, a.Kind, a.Phase, a.State, a.Result = name.String, stage.String, kind.String, phase.String, state.String, result.String
	a.RawStatus, a.FailureReason, a.RunnerID, a.RunnerName = raw.String, reason.String, runnerID.String, runner.String
	a.Environment, a.URL = environment.String, url.String
	a.AllowFailure, a.Manual = pointer(allowFailure.Bool, allowFailure.Valid), pointer(manual.Bool, manual.Valid)
	a.CreatedAt, a.StartedAt, a.FinishedAt = timeOf(created), timeOf(started), timeOf(finished)
	a.QueueS, a.RunS = secondsOf(queue), secondsOf(run)
	var err error
	a.Needs, err = listOf(needs)
	return a, err
}
