-- The facts and what follows from them. Times are Unix milliseconds, *_ms durations milliseconds, *_s seconds as posted.
-- The same tables and views as on PostgreSQL.

-- No foreign keys: the committer alone writes facts, all of a pipeline under the lock of its row, and checking each
-- row again took two thirds of PostgreSQL's time (docs/decisions/0002-no-foreign-keys.md).

-- +goose Up
CREATE TABLE projects (
	id             INTEGER PRIMARY KEY,
	name           TEXT, -- null: adopted rows that name none
	default_branch TEXT,
	CONSTRAINT projects_name_key UNIQUE (name)
);

CREATE TABLE pipelines (
	project_id             BIGINT  NOT NULL,
	id                     BIGINT  NOT NULL, -- the CI's own number
	row_id                 BIGINT  NOT NULL, -- the id in metrics_pipeline, from a range of row_id_ranges
	revision               BIGINT  NOT NULL DEFAULT 0, -- one more each time the row is locked to merge a report
	-- what was said; a column counts as said when ranks has its register
	provider               TEXT,
	external_id            TEXT,
	workflow               TEXT,
	url                    TEXT,
	ref                    TEXT,
	ref_kind               TEXT,
	default_branch         TEXT,
	commit_sha             TEXT,
	change_id              TEXT,
	trigger                TEXT,
	said_state             TEXT,
	said_result            TEXT,
	raw_status             TEXT,
	created_ms             BIGINT  NOT NULL,
	started_ms             BIGINT,
	finished_ms            BIGINT,
	updated_ms             BIGINT,
	ranks                  TEXT,
	-- what follows
	created_known          BOOLEAN NOT NULL,
	branch_in_force        TEXT, -- the project's default branch when the pipeline was first stored
	on_default_branch      BOOLEAN, -- null: adopted rows that do not say
	state                  TEXT    NOT NULL,
	result                 TEXT,
	has_restarts           BOOLEAN NOT NULL,
	attempts               BIGINT  NOT NULL,
	phases_hash            TEXT    NOT NULL,
	-- the report of POST /save_metrics as it was said, or else the same figures from phase e2e
	has_legacy             BOOLEAN NOT NULL,
	legacy_ref             TEXT,
	legacy_on_default      BOOLEAN,
	legacy_project_number  BIGINT,
	metrics_created_ms     BIGINT,
	metrics_duration_s     REAL,
	metrics_duration_e2e_s REAL,
	metrics_has_restarts   BOOLEAN,
	CONSTRAINT pipelines_pkey PRIMARY KEY (project_id, id)
) WITHOUT ROWID;
CREATE INDEX pipelines_by_created ON pipelines (project_id, created_ms);
CREATE INDEX pipelines_by_metrics_created_at ON pipelines (project_id, strftime('%Y-%m-%dT%H:%M:%fZ', metrics_created_ms / 1000.0, 'unixepoch')) WHERE metrics_created_ms IS NOT NULL;

CREATE TABLE jobs (
	project_id          BIGINT  NOT NULL,
	pipeline_id         BIGINT  NOT NULL,
	attempt_key         TEXT    NOT NULL, -- "#" and the CI's job id, or push:NAME:N, or legacy:KIND:POSITION
	row_id              BIGINT  NOT NULL,
	ci_id               TEXT,
	name                TEXT, -- null: adopted rows that name none
	stage               TEXT,
	kind                TEXT,
	allow_failure       BOOLEAN,
	manual              BOOLEAN,
	created_ms          BIGINT,
	environment         TEXT,
	needs               TEXT, -- JSON array
	url                 TEXT,
	started_ms          BIGINT,
	runner_id           TEXT,
	runner_name         TEXT,
	runner_tags         TEXT, -- JSON array
	state               TEXT,
	result              TEXT,
	raw_status          TEXT,
	failure_reason      TEXT,
	finished_ms         BIGINT,
	ranks               TEXT,
	-- what follows
	attempt             BIGINT  NOT NULL,
	is_retried          BOOLEAN NOT NULL,
	is_superseded       BOOLEAN NOT NULL,
	same_key            TEXT, -- of a superseded row: the attempt_key of the row that tells of the same attempt
	phase               TEXT,
	queue_ms            BIGINT, -- as said, else started - created
	run_ms              BIGINT, -- as said, else finished - started
	pipeline_created_ms BIGINT  NOT NULL,
	-- which of the original's views show it, and the seconds that they show
	legacy_kind         TEXT,
	position            BIGINT,
	in_build            BOOLEAN NOT NULL,
	in_job              BOOLEAN NOT NULL,
	in_failed           BOOLEAN NOT NULL,
	metrics_s           REAL,
	up_s                REAL,
	e2e_s               REAL,
	pull_s              REAL,
	up_without_pull_s   REAL,
	CONSTRAINT jobs_pkey PRIMARY KEY (project_id, pipeline_id, attempt_key)
) WITHOUT ROWID;
CREATE INDEX jobs_builds ON jobs (pipeline_id) WHERE in_build;

CREATE TABLE steps (
	project_id  BIGINT NOT NULL,
	pipeline_id BIGINT NOT NULL,
	attempt_key TEXT   NOT NULL,
	source      TEXT   NOT NULL, -- report, sections or markers
	position    BIGINT NOT NULL, -- in its source, from 0
	name        TEXT   NOT NULL,
	started_ms  BIGINT,
	duration_ms BIGINT NOT NULL,
	CONSTRAINT steps_pkey PRIMARY KEY (project_id, pipeline_id, attempt_key, source, position)
) WITHOUT ROWID;

CREATE TABLE phases (
	project_id          BIGINT NOT NULL,
	pipeline_id         BIGINT NOT NULL,
	phase               TEXT   NOT NULL,
	pipeline_created_ms BIGINT NOT NULL,
	first_start_ms      BIGINT,
	last_finish_ms      BIGINT,
	time_to_ms          BIGINT,
	span_ms             BIGINT,
	work_ms             BIGINT,
	attempts            BIGINT NOT NULL,
	CONSTRAINT phases_pkey PRIMARY KEY (project_id, pipeline_id, phase)
) WITHOUT ROWID;

-- One row: the first row_id that no process has taken for itself. Adopted rows
-- keep theirs, which are below 2^31.
CREATE TABLE row_id_ranges (
	next_id BIGINT NOT NULL,
	CONSTRAINT row_id_ranges_pkey PRIMARY KEY (next_id)
);
INSERT INTO row_id_ranges (next_id) VALUES (4294967296);

CREATE TABLE tokens (
	id           TEXT   NOT NULL,
	name         TEXT   NOT NULL,
	scopes       TEXT   NOT NULL,
	hash         TEXT   NOT NULL,
	created_ms   BIGINT NOT NULL,
	last_used_ms BIGINT,
	revoked_ms   BIGINT,
	CONSTRAINT tokens_pkey PRIMARY KEY (id),
	CONSTRAINT tokens_hash_key UNIQUE (hash)
);

-- The original's tables. A duration is the nearest whole second, half away from zero, exactly.
CREATE VIEW metrics_pipeline AS
SELECT p.row_id AS id, p.id AS pipeline_id, pr.name AS project,
	CAST(p.metrics_duration_s AS INTEGER) + (p.metrics_duration_s - CAST(p.metrics_duration_s AS INTEGER) >= 0.5) AS duration,
	CAST(p.metrics_duration_e2e_s AS INTEGER) + (p.metrics_duration_e2e_s - CAST(p.metrics_duration_e2e_s AS INTEGER) >= 0.5) AS duration_e2e,
	strftime('%Y-%m-%dT%H:%M:%fZ', p.metrics_created_ms / 1000.0, 'unixepoch') AS created_at,
	p.on_default_branch AS is_master, p.metrics_has_restarts AS has_restarts, p.legacy_project_number AS project_id
FROM pipelines p LEFT JOIN projects pr ON pr.id = p.project_id
WHERE p.metrics_created_ms IS NOT NULL;

CREATE VIEW metrics_build AS
SELECT j.row_id AS id, j.pipeline_id, j.name,
	CAST(j.metrics_s AS INTEGER) + (j.metrics_s - CAST(j.metrics_s AS INTEGER) >= 0.5) AS duration, pr.name AS project
FROM jobs j LEFT JOIN projects pr ON pr.id = j.project_id
WHERE j.in_build;

CREATE VIEW metrics_job AS
SELECT j.row_id AS id, j.pipeline_id, j.name,
	CAST(j.e2e_s AS INTEGER) + (j.e2e_s - CAST(j.e2e_s AS INTEGER) >= 0.5) AS duration_e2e,
	CAST(j.up_s AS INTEGER) + (j.up_s - CAST(j.up_s AS INTEGER) >= 0.5) AS duration_up,
	CAST(j.up_without_pull_s AS INTEGER) + (j.up_without_pull_s - CAST(j.up_without_pull_s AS INTEGER) >= 0.5) AS duration_up_without_pull,
	CAST(j.pull_s AS INTEGER) + (j.pull_s - CAST(j.pull_s AS INTEGER) >= 0.5) AS duration_pull,
	CAST(j.metrics_s AS INTEGER) + (j.metrics_s - CAST(j.metrics_s AS INTEGER) >= 0.5) AS duration, pr.name AS project
FROM jobs j LEFT JOIN projects pr ON pr.id = j.project_id
WHERE j.in_job;

CREATE VIEW metrics_job_failed AS
SELECT j.row_id AS id, j.pipeline_id, j.name,
	CAST(j.metrics_s AS INTEGER) + (j.metrics_s - CAST(j.metrics_s AS INTEGER) >= 0.5) AS duration, pr.name AS project
FROM jobs j LEFT JOIN projects pr ON pr.id = j.project_id
WHERE j.in_failed;

-- Everything, for people who write SQL: docs/sql.md.
CREATE VIEW ci_pipelines AS
SELECT pr.name AS project, p.project_id, p.id AS pipeline_id, p.provider, p.workflow, p.url, p.ref, p.ref_kind, p.on_default_branch AS is_default_branch,
	p.commit_sha, p.change_id, p.trigger, p.state, p.result, p.raw_status,
	strftime('%Y-%m-%dT%H:%M:%fZ', p.created_ms / 1000.0, 'unixepoch') AS created_at, strftime('%Y-%m-%dT%H:%M:%fZ', p.started_ms / 1000.0, 'unixepoch') AS started_at,
	CASE WHEN p.state = 'finished' THEN strftime('%Y-%m-%dT%H:%M:%fZ', p.finished_ms / 1000.0, 'unixepoch') END AS finished_at,
	p.has_restarts, p.attempts,
	CASE WHEN p.has_legacy THEN p.metrics_duration_s END AS reported_duration, CASE WHEN p.has_legacy THEN p.metrics_duration_e2e_s END AS reported_duration_e2e
FROM pipelines p LEFT JOIN projects pr ON pr.id = p.project_id;

CREATE VIEW ci_jobs AS
SELECT pr.name AS project, j.project_id, j.pipeline_id, j.attempt_key, j.name AS job, j.stage, j.kind, j.phase, j.attempt, j.is_retried,
	j.state, j.result, j.raw_status, j.failure_reason, j.allow_failure, j.manual,
	strftime('%Y-%m-%dT%H:%M:%fZ', j.created_ms / 1000.0, 'unixepoch') AS created_at, strftime('%Y-%m-%dT%H:%M:%fZ', j.started_ms / 1000.0, 'unixepoch') AS started_at, strftime('%Y-%m-%dT%H:%M:%fZ', j.finished_ms / 1000.0, 'unixepoch') AS finished_at,
	j.queue_ms / 1000.0 AS queue_time, j.run_ms / 1000.0 AS duration,
	j.runner_id, j.runner_name, j.environment, j.url, strftime('%Y-%m-%dT%H:%M:%fZ', j.pipeline_created_ms / 1000.0, 'unixepoch') AS pipeline_created_at
FROM jobs j LEFT JOIN projects pr ON pr.id = j.project_id
WHERE NOT j.is_superseded;

CREATE VIEW ci_steps AS
SELECT pr.name AS project, s.project_id, s.pipeline_id, s.attempt_key, j.name AS job, j.attempt, s.name AS step, s.source, s.position,
	strftime('%Y-%m-%dT%H:%M:%fZ', s.started_ms / 1000.0, 'unixepoch') AS started_at, s.duration_ms / 1000.0 AS duration, strftime('%Y-%m-%dT%H:%M:%fZ', j.pipeline_created_ms / 1000.0, 'unixepoch') AS pipeline_created_at
FROM steps s
JOIN jobs j ON j.project_id = s.project_id AND j.pipeline_id = s.pipeline_id AND j.attempt_key = s.attempt_key
LEFT JOIN projects pr ON pr.id = s.project_id
UNION ALL
SELECT pr.name, j.project_id, j.pipeline_id, COALESCE(o.attempt_key, j.attempt_key), j.name, COALESCE(o.attempt, j.attempt), 'pull', 'legacy', 0,
	NULL, j.pull_s, strftime('%Y-%m-%dT%H:%M:%fZ', j.pipeline_created_ms / 1000.0, 'unixepoch')
FROM jobs j
LEFT JOIN jobs o ON o.project_id = j.project_id AND o.pipeline_id = j.pipeline_id AND o.attempt_key = j.same_key
LEFT JOIN projects pr ON pr.id = j.project_id
WHERE j.legacy_kind = 'job' AND j.pull_s IS NOT NULL AND (NOT j.is_superseded OR o.attempt_key IS NOT NULL)
UNION ALL
SELECT pr.name, j.project_id, j.pipeline_id, COALESCE(o.attempt_key, j.attempt_key), j.name, COALESCE(o.attempt, j.attempt), 'up', 'legacy', 1,
	NULL, j.up_s, strftime('%Y-%m-%dT%H:%M:%fZ', j.pipeline_created_ms / 1000.0, 'unixepoch')
FROM jobs j
LEFT JOIN jobs o ON o.project_id = j.project_id AND o.pipeline_id = j.pipeline_id AND o.attempt_key = j.same_key
LEFT JOIN projects pr ON pr.id = j.project_id
WHERE j.legacy_kind = 'job' AND j.up_s IS NOT NULL AND (NOT j.is_superseded OR o.attempt_key IS NOT NULL)
UNION ALL
SELECT pr.name, j.project_id, j.pipeline_id, COALESCE(o.attempt_key, j.attempt_key), j.name, COALESCE(o.attempt, j.attempt), 'up_without_pull', 'legacy', 2,
	NULL, j.up_without_pull_s, strftime('%Y-%m-%dT%H:%M:%fZ', j.pipeline_created_ms / 1000.0, 'unixepoch')
FROM jobs j
LEFT JOIN jobs o ON o.project_id = j.project_id AND o.pipeline_id = j.pipeline_id AND o.attempt_key = j.same_key
LEFT JOIN projects pr ON pr.id = j.project_id
WHERE j.legacy_kind = 'job' AND j.up_without_pull_s IS NOT NULL AND (NOT j.is_superseded OR o.attempt_key IS NOT NULL)
UNION ALL
SELECT pr.name, j.project_id, j.pipeline_id, COALESCE(o.attempt_key, j.attempt_key), j.name, COALESCE(o.attempt, j.attempt), 'e2e', 'legacy', 3,
	NULL, j.e2e_s, strftime('%Y-%m-%dT%H:%M:%fZ', j.pipeline_created_ms / 1000.0, 'unixepoch')
FROM jobs j
LEFT JOIN jobs o ON o.project_id = j.project_id AND o.pipeline_id = j.pipeline_id AND o.attempt_key = j.same_key
LEFT JOIN projects pr ON pr.id = j.project_id
WHERE j.legacy_kind = 'job' AND j.e2e_s IS NOT NULL AND (NOT j.is_superseded OR o.attempt_key IS NOT NULL);

CREATE VIEW ci_phases AS
SELECT pr.name AS project, f.project_id, f.pipeline_id, f.phase, strftime('%Y-%m-%dT%H:%M:%fZ', f.pipeline_created_ms / 1000.0, 'unixepoch') AS pipeline_created_at,
	f.time_to_ms / 1000.0 AS time_to, f.span_ms / 1000.0 AS span, f.work_ms / 1000.0 AS work,
	strftime('%Y-%m-%dT%H:%M:%fZ', f.first_start_ms / 1000.0, 'unixepoch') AS first_started_at, strftime('%Y-%m-%dT%H:%M:%fZ', f.last_finish_ms / 1000.0, 'unixepoch') AS last_finished_at, f.attempts
FROM phases f LEFT JOIN projects pr ON pr.id = f.project_id;

-- +goose Down
DROP VIEW ci_phases;
DROP VIEW ci_steps;
DROP VIEW ci_jobs;
DROP VIEW ci_pipelines;
DROP VIEW metrics_job_failed;
DROP VIEW metrics_job;
DROP VIEW metrics_build;
DROP VIEW metrics_pipeline;
DROP TABLE tokens;
DROP TABLE row_id_ranges;
DROP TABLE phases;
DROP TABLE steps;
DROP TABLE jobs;
DROP TABLE pipelines;
DROP TABLE projects;
