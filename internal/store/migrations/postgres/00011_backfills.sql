-- How far each backfill is, so that one that was interrupted goes on.

-- +goose Up
CREATE TABLE backfills (
	name        TEXT   NOT NULL, -- what is read: of which CI system, which project, which of its pipelines
	since_ms    BIGINT NOT NULL, -- read is what changed then or later; 0: all
	through_ms  BIGINT NOT NULL, -- all that changed until then is saved
	started_ms  BIGINT NOT NULL,
	finished_ms BIGINT, -- null: it runs, or was interrupted
	CONSTRAINT backfills_pkey PRIMARY KEY (name)
);

-- +goose Down
DROP TABLE backfills;
