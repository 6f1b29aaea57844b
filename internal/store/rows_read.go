package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// The way back: a record from its rows, without what is derived.

// loaded is a pipeline as it is stored.
type loaded struct {
	rec           *ci.Record
	branchInForce string
	created       int64 // as it is in the row
}

const selectPipelines = `SELECT p.project_id, p.id, p.provider, p.external_id, p.workflow, p.url, p.ref, p.ref_kind, p.default_branch, p.commit_sha,
	p.change_id, p.trigger, p.said_state, p.said_result, p.raw_status, p.created_ms, p.started_ms, p.finished_ms, p.updated_ms, p.ranks,
	p.branch_in_force, p.has_legacy, p.legacy_ref, p.legacy_on_default, p.legacy_project_number,
	p.metrics_created_ms, p.metrics_duration_s, p.metrics_duration_e2e_s, p.metrics_has_restarts,
	p.parent_project, p.parent_pipeline_id, p.parent_job_id, pr.name
	FROM %s CROSS JOIN pipelines p LEFT JOIN projects pr ON pr.id = p.project_id
	WHERE p.project_id = staged.project_id AND p.id = staged.id`

func scanPipeline(rows *sql.Rows) (key, *loaded, error) {
	var (
		k                                                                         key
		provider, externalID, workflow, url, ref, refKind, branch, commit, change sql.NullString
		trigger, state, result, raw, ranks, inForce, legacyRef, project           sql.NullString
		parentProject, parentJob                                                  sql.NullString
		created, started, finished, updated, legacyNumber, metricsCreated, parent sql.NullInt64
		hasLegacy                                                                 bool
		legacyOnDefault, metricsRestarts                                          sql.NullBool
		duration, durationE2e                                                     sql.NullFloat64
	)
	if err := rows.Scan(&k.project, &k.id, &provider, &externalID, &workflow, &url, &ref, &refKind, &branch, &commit,
		&change, &trigger, &state, &result, &raw, &created, &started, &finished, &updated, &ranks,
		&inForce, &hasLegacy, &legacyRef, &legacyOnDefault, &legacyNumber,
		&metricsCreated, &duration, &durationE2e, &metricsRestarts, &parentProject, &parent, &parentJob, &project); err != nil {
		return k, nil, fmt.Errorf("read a pipeline: %w", err)
	}
	rec := &ci.Record{}
	var err error
	if rec.Ranks, err = ci.ParsePipelineRanks(ranks.String); err != nil {
		return k, nil, err
	}
	rec.Words.Provider, rec.Words.Project = provider.String, project.String
	rec.Words.Pipeline = ci.Pipeline{
		ID: k.id, ExternalID: externalID.String, Workflow: workflow.String, URL: url.String, Ref: ref.String, RefKind: refKind.String,
		DefaultBranch: branch.String, Commit: commit.String, ChangeID: change.String, Trigger: trigger.String,
		State: ci.State(state.String), Result: ci.Result(result.String), RawStatus: raw.String,
		CreatedAt: timeOf(created), StartedAt: timeOf(started), FinishedAt: timeOf(finished), UpdatedAt: timeOf(updated),
		Parent: pointer(ci.Parent{Project: parentProject.String, PipelineID: parent.Int64, JobID: parentJob.String}, parent.Valid),
	}
	rec.ForgetUnsaid()
	if hasLegacy {
		rec.Legacy = &ci.Legacy{
			Ref: legacyRef.String, CreatedAt: timeOf(metricsCreated), DurationS: duration.Float64, DurationE2eS: durationE2e.Float64,
			HasRestarts: pointer(metricsRestarts.Bool, metricsRestarts.Valid), OnDefaultBranch: pointer(legacyOnDefault.Bool, legacyOnDefault.Valid),
			ProjectNumber: legacyNumber.Int64,
		}
	}
	return k, &loaded{rec: rec, branchInForce: inForce.String, created: created.Int64}, nil
}

const selectJobs = `SELECT j.project_id, j.pipeline_id, j.attempt_key, j.ci_id, j.name, j.stage, j.kind, j.allow_failure, j.manual, j.created_ms,
	j.environment, j.needs, j.url, j.started_ms, j.runner_id, j.runner_name, j.runner_tags, j.state, j.result, j.raw_status, j.failure_reason,
	j.finished_ms, j.ranks, j.queue_ms, j.run_ms, j.legacy_kind, j.metrics_s, j.up_s, j.e2e_s, j.pull_s, j.up_without_pull_s
	FROM %s CROSS JOIN jobs j
	WHERE j.project_id = staged.project_id AND j.pipeline_id = staged.id
	ORDER BY j.project_id, j.pipeline_id, j.legacy_kind, j.position`

func scanJob(rows *sql.Rows, byKey map[key]*loaded) error {
	var (
		k                                                                         key
		attemptKey                                                                string
		id, name, stage, jobKind, environment, needs, url, runnerID, runner, tags sql.NullString
		state, result, raw, reason, ranks, legacyKind                             sql.NullString
		allowFailure, manual                                                      sql.NullBool
		created, started, finished, queue, run                                    sql.NullInt64
		posted, up, e2e, pull, noPull                                             sql.NullFloat64
	)
	if err := rows.Scan(&k.project, &k.id, &attemptKey, &id, &name, &stage, &jobKind, &allowFailure, &manual, &created,
		&environment, &needs, &url, &started, &runnerID, &runner, &tags, &state, &result, &raw, &reason,
		&finished, &ranks, &queue, &run, &legacyKind, &posted, &up, &e2e, &pull, &noPull); err != nil {
		return fmt.Errorf("read a job: %w", err)
	}
	if byKey[k] == nil {
		return nil // stored after its pipeline was looked for
	}
	rec := byKey[k].rec
	if legacyKind.Valid {
		if rec.Legacy == nil {
			return nil // left behind by somebody who deleted a pipeline by hand; the row is nobody's
		}
		rec.Legacy.Entries = append(rec.Legacy.Entries, ci.LegacyEntry{
			Kind: ci.LegacyKind(legacyKind.String), Name: name.String, DurationS: pointer(posted.Float64, posted.Valid),
			StartedAt: timeOf(started), FinishedAt: timeOf(finished), UpS: pointer(up.Float64, up.Valid), E2eS: pointer(e2e.Float64, e2e.Valid),
			PullS: pointer(pull.Float64, pull.Valid), UpNoPullS: pointer(noPull.Float64, noPull.Valid),
			QueuedS: secondsOf(queue), RunnerID: runnerID.String,
		})
		return nil
	}
	a := &ci.AttemptRecord{Key: attemptKey, Attempt: ci.Attempt{
		ID: id.String, Name: name.String, Stage: stage.String, Kind: jobKind.String, Environment: environment.String, URL: url.String,
		State: ci.State(state.String), Result: ci.Result(result.String), RawStatus: raw.String, FailureReason: reason.String,
		AllowFailure: pointer(allowFailure.Bool, allowFailure.Valid), Manual: pointer(manual.Bool, manual.Valid),
		CreatedAt: timeOf(created), StartedAt: timeOf(started), FinishedAt: timeOf(finished),
		QueuedS: secondsOf(queue), DurationS: secondsOf(run),
	}}
	var err error
	if a.Ranks, err = ci.ParseAttemptRanks(ranks.String); err != nil {
		return err
	}
	if a.Needs, err = listOf(needs); err != nil {
		return err
	}
	tagList, err := listOf(tags)
	if err != nil {
		return err
	}
	a.Runner = &ci.Runner{ID: runnerID.String, Name: runner.String, Tags: tagList}
	a.ForgetUnsaid()
	if rec.Attempts == nil {
		rec.Attempts = map[string]*ci.AttemptRecord{}
	}
	rec.Attempts[attemptKey] = a
	return nil
}

const selectSteps = `SELECT s.project_id, s.pipeline_id, s.attempt_key, s.source, s.name, s.started_ms, s.duration_ms
	FROM %s CROSS JOIN steps s
	WHERE s.project_id = staged.project_id AND s.pipeline_id = staged.id
	ORDER BY s.project_id, s.pipeline_id, s.attempt_key, CASE s.source WHEN 'report' THEN 0 WHEN 'sections' THEN 1 ELSE 2 END, s.position`

func scanStep(rows *sql.Rows, byKey map[key]*loaded) error {
	var (
		k                        key
		attemptKey, source, name string
		started                  sql.NullInt64
		duration                 int64
	)
	if err := rows.Scan(&k.project, &k.id, &attemptKey, &source, &name, &started, &duration); err != nil {
		return fmt.Errorf("read a step: %w", err)
	}
	if source == "report" {
		source = string(ci.StepsReported)
	}
	if byKey[k] == nil {
		return nil // as in scanJob
	}
	a := byKey[k].rec.Attempts[attemptKey]
	if a == nil {
		return nil // as in scanJob
	}
	a.Steps = append(a.Steps, ci.Step{Name: name, Source: ci.StepSource(source), StartedAt: timeOf(started), DurationS: float64(duration) / 1000})
	return nil
}

func timeOf(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

func secondsOf(ms sql.NullInt64) *float64 {
	return pointer(float64(ms.Int64)/1000, ms.Valid)
}

func pointer[T any](v T, valid bool) *T {
	if !valid {
		return nil
	}
	return &v
}

func listOf(s sql.NullString) ([]string, error) {
	if !s.Valid {
		return nil, nil
	}
	var all []string
	if err := json.Unmarshal([]byte(s.String), &all); err != nil {
		return nil, fmt.Errorf("read a list: %w", err)
	}
	return all, nil
}
