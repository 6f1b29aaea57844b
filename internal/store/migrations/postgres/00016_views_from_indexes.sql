-- The original's queries through the views are answered from indexes alone: a
-- pipeline's row is five times as wide as the original's was, and builds are
-- spread over all of the jobs (docs/decisions/0020-views-from-indexes.md).

-- +goose Up
DROP INDEX pipelines_by_metrics_created_at;
CREATE INDEX pipelines_by_metrics_created_at ON pipelines (project_id, to_timestamp(metrics_created_ms / 1000.0::float8))
	INCLUDE (id, metrics_created_ms, on_default_branch, metrics_duration_s, metrics_duration_e2e_s, metrics_has_restarts) WHERE metrics_created_ms IS NOT NULL;
DROP INDEX jobs_builds;
CREATE INDEX jobs_builds ON jobs (pipeline_id) INCLUDE (project_id) WHERE in_build;

-- +goose Down
DROP INDEX jobs_builds;
CREATE INDEX jobs_builds ON jobs (pipeline_id) WHERE in_build;
DROP INDEX pipelines_by_metrics_created_at;
CREATE INDEX pipelines_by_metrics_created_at ON pipelines (project_id, to_timestamp(metrics_created_ms / 1000.0::float8)) WHERE metrics_created_ms IS NOT NULL;
