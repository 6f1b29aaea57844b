-- What POST /save_project_info tells of a project. Each list replaces the one
-- before as a whole, so it is one value.

-- +goose Up
ALTER TABLE projects ADD COLUMN team TEXT;
ALTER TABLE projects ADD COLUMN ci_number BIGINT; -- the CI's own number
ALTER TABLE projects ADD COLUMN e2e_jobs TEXT; -- JSON array of names
ALTER TABLE projects ADD COLUMN schedules TEXT; -- JSON array of {"name", "is_active"}
ALTER TABLE projects ADD COLUMN packages TEXT; -- JSON object, version by name
CREATE VIEW ci_projects AS
SELECT pr.name AS project, pr.id AS project_id, pr.default_branch, pr.team, pr.ci_number, pr.e2e_jobs, pr.schedules, pr.packages
FROM projects pr;

-- +goose Down
DROP VIEW ci_projects;
ALTER TABLE projects DROP COLUMN packages;
ALTER TABLE projects DROP COLUMN schedules;
ALTER TABLE projects DROP COLUMN e2e_jobs;
ALTER TABLE projects DROP COLUMN ci_number;
ALTER TABLE projects DROP COLUMN team;
