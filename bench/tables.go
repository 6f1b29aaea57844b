package main

// The tables of the original, as its published head has them: what the
// baselines write into.
const (
	postgresTables = `
CREATE TABLE metrics_pipeline (id serial PRIMARY KEY, pipeline_id integer UNIQUE, project varchar, duration integer,
	duration_e2e integer, created_at timestamp, is_master boolean, has_restarts boolean);
CREATE TABLE metrics_job (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration_e2e integer,
	duration_up integer, duration integer);
CREATE TABLE metrics_job_failed (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration integer);
CREATE TABLE metrics_build (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration integer);`

	sqliteTables = `
CREATE TABLE metrics_pipeline (id integer PRIMARY KEY, pipeline_id integer UNIQUE, project text, duration integer,
	duration_e2e integer, created_at text, is_master integer, has_restarts integer);
CREATE TABLE metrics_job (id integer PRIMARY KEY, pipeline_id integer, name text, duration_e2e integer,
	duration_up integer, duration integer);
CREATE TABLE metrics_job_failed (id integer PRIMARY KEY, pipeline_id integer, name text, duration integer);
CREATE TABLE metrics_build (id integer PRIMARY KEY, pipeline_id integer, name text, duration integer);`

	// One row each; both engines take them.
	insertPipeline = `INSERT INTO metrics_pipeline (pipeline_id, project, duration, duration_e2e, created_at, is_master, has_restarts)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`
	insertJob    = `INSERT INTO metrics_job (pipeline_id, name, duration_e2e, duration_up, duration) VALUES ($1, $2, $3, $4, $5)`
	insertFailed = `INSERT INTO metrics_job_failed (pipeline_id, name, duration) VALUES ($1, $2, $3)`
	insertBuild  = `INSERT INTO metrics_build (pipeline_id, name, duration) VALUES ($1, $2, $3)`

	// All rows of a batch at once.
	unnestPipelines = `INSERT INTO metrics_pipeline (pipeline_id, project, duration, duration_e2e, created_at, is_master, has_restarts)
		SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::int[], $5::timestamp[], $6::bool[], $7::bool[])`
	unnestJobs = `INSERT INTO metrics_job (pipeline_id, name, duration_e2e, duration_up, duration)
		SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::int[], $5::int[])`
	unnestFailed = `INSERT INTO metrics_job_failed (pipeline_id, name, duration) SELECT * FROM unnest($1::int[], $2::text[], $3::int[])`
	unnestBuilds = `INSERT INTO metrics_build (pipeline_id, name, duration) SELECT * FROM unnest($1::int[], $2::text[], $3::int[])`
)
