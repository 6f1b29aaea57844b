-- Which pipeline started a pipeline: a child's, or one in another project. The
-- parent may be unknown here, so its project is kept by name.

-- +goose Up
ALTER TABLE pipelines ADD COLUMN parent_project TEXT;
ALTER TABLE pipelines ADD COLUMN parent_pipeline_id BIGINT;
ALTER TABLE pipelines ADD COLUMN parent_job_id TEXT; -- the CI's id of the job that started it
CREATE INDEX pipelines_by_parent ON pipelines (parent_pipeline_id) WHERE parent_pipeline_id IS NOT NULL;
CREATE OR REPLACE VIEW ci_pipelines AS -- keeps its owner and grants
SELECT pr.name AS project, p.project_id, p.id AS pipeline_id, p.provider, p.workflow, p.url, p.ref, p.ref_kind, p.on_default_branch AS is_default_branch,
	p.commit_sha, p.change_id, p.trigger, p.state, p.result, p.raw_status,
	to_timestamp(p.created_ms / 1000.0::float8) AS created_at, to_timestamp(p.started_ms / 1000.0::float8) AS started_at,
	CASE WHEN p.state = 'finished' THEN to_timestamp(p.finished_ms / 1000.0::float8) END AS finished_at,
	p.has_restarts, p.attempts,
	CASE WHEN p.has_legacy THEN p.metrics_duration_s END AS reported_duration, CASE WHEN p.has_legacy THEN p.metrics_duration_e2e_s END AS reported_duration_e2e,
	p.parent_project, p.parent_pipeline_id, p.parent_job_id
FROM pipelines p LEFT JOIN projects pr ON pr.id = p.project_id;

-- +goose Down
DROP VIEW ci_pipelines;
DROP INDEX pipelines_by_parent;
ALTER TABLE pipelines DROP COLUMN parent_job_id;
ALTER TABLE pipelines DROP COLUMN parent_pipeline_id;
ALTER TABLE pipelines DROP COLUMN parent_project;
CREATE VIEW ci_pipelines AS
SELECT pr.name AS project, p.project_id, p.id AS pipeline_id, p.provider, p.workflow, p.url, p.ref, p.ref_kind, p.on_default_branch AS is_default_branch,
	p.commit_sha, p.change_id, p.trigger, p.state, p.result, p.raw_status,
	to_timestamp(p.created_ms / 1000.0::float8) AS created_at, to_timestamp(p.started_ms / 1000.0::float8) AS started_at,
	CASE WHEN p.state = 'finished' THEN to_timestamp(p.finished_ms / 1000.0::float8) END AS finished_at,
	p.has_restarts, p.attempts,
	CASE WHEN p.has_legacy THEN p.metrics_duration_s END AS reported_duration, CASE WHEN p.has_legacy THEN p.metrics_duration_e2e_s END AS reported_duration_e2e
FROM pipelines p LEFT JOIN projects pr ON pr.id = p.project_id;
