-- The jobs that deployed, of which there are few: who asks for them need not look
-- at all jobs of all pipelines. A report without a deployment does not touch it.

-- +goose Up
CREATE INDEX jobs_deployments ON jobs (project_id, pipeline_id) WHERE environment <> '';

-- +goose Down
DROP INDEX jobs_deployments;
