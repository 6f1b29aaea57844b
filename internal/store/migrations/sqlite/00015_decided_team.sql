-- Whose a project is, as people decided in its settings: it stands before what
-- clients told, and no client changes it. What is there already was decided
-- where the project has settings.

-- +goose Up
ALTER TABLE projects ADD COLUMN decided_team TEXT;
UPDATE projects SET decided_team = team WHERE team IS NOT NULL AND id IN (SELECT id FROM project_settings);
DROP VIEW ci_projects;
CREATE VIEW ci_projects AS
SELECT pr.name AS project, pr.id AS project_id, pr.default_branch, COALESCE(pr.decided_team, pr.team) AS team, pr.ci_number, pr.e2e_jobs, pr.schedules, pr.packages
FROM projects pr;

-- +goose Down
DROP VIEW ci_projects;
UPDATE projects SET team = decided_team WHERE decided_team IS NOT NULL;
ALTER TABLE projects DROP COLUMN decided_team;
CREATE VIEW ci_projects AS
SELECT pr.name AS project, pr.id AS project_id, pr.default_branch, pr.team, pr.ci_number, pr.e2e_jobs, pr.schedules, pr.packages
FROM projects pr;
