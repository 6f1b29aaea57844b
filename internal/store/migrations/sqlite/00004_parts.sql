-- Where the wall time of a pipeline went, and its critical path: docs/decisions/0010-where-the-time-went.md.

-- +goose Up
ALTER TABLE pipelines ADD COLUMN wall_ms BIGINT; -- created to the end of the first pass; null while there is none, and so the rest
ALTER TABLE pipelines ADD COLUMN active_ms BIGINT; -- wall without blocked
ALTER TABLE pipelines ADD COLUMN execution_ms BIGINT; -- these five add up to wall_ms
ALTER TABLE pipelines ADD COLUMN retry_ms BIGINT;
ALTER TABLE pipelines ADD COLUMN queue_ms BIGINT;
ALTER TABLE pipelines ADD COLUMN blocked_ms BIGINT;
ALTER TABLE pipelines ADD COLUMN gap_ms BIGINT;
ALTER TABLE pipelines ADD COLUMN late_attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pipelines ADD COLUMN path_retry_ms BIGINT; -- the critical path without what is at its attempts
ALTER TABLE pipelines ADD COLUMN path_blocked_ms BIGINT;
ALTER TABLE pipelines ADD COLUMN path_gap_ms BIGINT;
ALTER TABLE jobs ADD COLUMN is_late BOOLEAN NOT NULL DEFAULT false; -- after the first pass
ALTER TABLE jobs ADD COLUMN path_run_ms BIGINT; -- null: not on the critical path
ALTER TABLE jobs ADD COLUMN path_queue_ms BIGINT;
ALTER TABLE jobs ADD COLUMN saves_ms BIGINT; -- at the last attempt of the first pass: by how much less wall_ms would be if the job took no time
DROP VIEW ci_jobs;
DROP VIEW ci_pipelines;
CREATE VIEW ci_pipelines AS
SELECT pr.name AS project, p.project_id, p.id AS pipeline_id, p.provider, p.workflow, p.url, p.ref, p.ref_kind, p.on_default_branch AS is_default_branch,
	p.commit_sha, p.change_id, p.trigger, p.state, p.result, p.raw_status,
	strftime('%Y-%m-%dT%H:%M:%fZ', p.created_ms / 1000.0, 'unixepoch') AS created_at, strftime('%Y-%m-%dT%H:%M:%fZ', p.started_ms / 1000.0, 'unixepoch') AS started_at,
	CASE WHEN p.state = 'finished' THEN strftime('%Y-%m-%dT%H:%M:%fZ', p.finished_ms / 1000.0, 'unixepoch') END AS finished_at,
	p.has_restarts, p.attempts,
	CASE WHEN p.has_legacy THEN p.metrics_duration_s END AS reported_duration, CASE WHEN p.has_legacy THEN p.metrics_duration_e2e_s END AS reported_duration_e2e,
	p.parent_project, p.parent_pipeline_id, p.parent_job_id,
	p.wall_ms / 1000.0 AS wall, p.active_ms / 1000.0 AS active, p.execution_ms / 1000.0 AS execution, p.retry_ms / 1000.0 AS retry, p.queue_ms / 1000.0 AS queue, p.blocked_ms / 1000.0 AS blocked, p.gap_ms / 1000.0 AS gap,
	p.late_attempts, p.path_retry_ms / 1000.0 AS path_retry, p.path_blocked_ms / 1000.0 AS path_blocked, p.path_gap_ms / 1000.0 AS path_gap
FROM pipelines p LEFT JOIN projects pr ON pr.id = p.project_id;
CREATE VIEW ci_jobs AS
SELECT pr.name AS project, j.project_id, j.pipeline_id, j.attempt_key, j.name AS job, j.stage, j.kind, j.phase, j.attempt, j.is_retried,
	j.state, j.result, j.raw_status, j.failure_reason, j.allow_failure, j.manual,
	strftime('%Y-%m-%dT%H:%M:%fZ', j.created_ms / 1000.0, 'unixepoch') AS created_at, strftime('%Y-%m-%dT%H:%M:%fZ', j.started_ms / 1000.0, 'unixepoch') AS started_at, strftime('%Y-%m-%dT%H:%M:%fZ', j.finished_ms / 1000.0, 'unixepoch') AS finished_at,
	j.queue_ms / 1000.0 AS queue_time, j.run_ms / 1000.0 AS duration,
	j.runner_id, j.runner_name, j.environment, j.url, strftime('%Y-%m-%dT%H:%M:%fZ', j.pipeline_created_ms / 1000.0, 'unixepoch') AS pipeline_created_at,
	j.is_late, j.path_run_ms / 1000.0 AS path_run, j.path_queue_ms / 1000.0 AS path_queue, j.saves_ms / 1000.0 AS saves
FROM jobs j LEFT JOIN projects pr ON pr.id = j.project_id
WHERE NOT j.is_superseded;

-- +goose Down
DROP VIEW ci_jobs;
DROP VIEW ci_pipelines;
ALTER TABLE jobs DROP COLUMN saves_ms;
ALTER TABLE jobs DROP COLUMN path_queue_ms;
ALTER TABLE jobs DROP COLUMN path_run_ms;
ALTER TABLE jobs DROP COLUMN is_late;
ALTER TABLE pipelines DROP COLUMN path_gap_ms;
ALTER TABLE pipelines DROP COLUMN path_blocked_ms;
ALTER TABLE pipelines DROP COLUMN path_retry_ms;
ALTER TABLE pipelines DROP COLUMN late_attempts;
ALTER TABLE pipelines DROP COLUMN gap_ms;
ALTER TABLE pipelines DROP COLUMN blocked_ms;
ALTER TABLE pipelines DROP COLUMN queue_ms;
ALTER TABLE pipelines DROP COLUMN retry_ms;
ALTER TABLE pipelines DROP COLUMN execution_ms;
ALTER TABLE pipelines DROP COLUMN active_ms;
ALTER TABLE pipelines DROP COLUMN wall_ms;
CREATE VIEW ci_pipelines AS
SELECT pr.name AS project, p.project_id, p.id AS pipeline_id, p.provider, p.workflow, p.url, p.ref, p.ref_kind, p.on_default_branch AS is_default_branch,
	p.commit_sha, p.change_id, p.trigger, p.state, p.result, p.raw_status,
	strftime('%Y-%m-%dT%H:%M:%fZ', p.created_ms / 1000.0, 'unixepoch') AS created_at, strftime('%Y-%m-%dT%H:%M:%fZ', p.started_ms / 1000.0, 'unixepoch') AS started_at,
	CASE WHEN p.state = 'finished' THEN strftime('%Y-%m-%dT%H:%M:%fZ', p.finished_ms / 1000.0, 'unixepoch') END AS finished_at,
	p.has_restarts, p.attempts,
	CASE WHEN p.has_legacy THEN p.metrics_duration_s END AS reported_duration, CASE WHEN p.has_legacy THEN p.metrics_duration_e2e_s END AS reported_duration_e2e,
	p.parent_project, p.parent_pipeline_id, p.parent_job_id
FROM pipelines p LEFT JOIN projects pr ON pr.id = p.project_id;
CREATE VIEW ci_jobs AS
SELECT pr.name AS project, j.project_id, j.pipeline_id, j.attempt_key, j.name AS job, j.stage, j.kind, j.phase, j.attempt, j.is_retried,
	j.state, j.result, j.raw_status, j.failure_reason, j.allow_failure, j.manual,
	strftime('%Y-%m-%dT%H:%M:%fZ', j.created_ms / 1000.0, 'unixepoch') AS created_at, strftime('%Y-%m-%dT%H:%M:%fZ', j.started_ms / 1000.0, 'unixepoch') AS started_at, strftime('%Y-%m-%dT%H:%M:%fZ', j.finished_ms / 1000.0, 'unixepoch') AS finished_at,
	j.queue_ms / 1000.0 AS queue_time, j.run_ms / 1000.0 AS duration,
	j.runner_id, j.runner_name, j.environment, j.url, strftime('%Y-%m-%dT%H:%M:%fZ', j.pipeline_created_ms / 1000.0, 'unixepoch') AS pipeline_created_at
FROM jobs j LEFT JOIN projects pr ON pr.id = j.project_id
WHERE NOT j.is_superseded;
