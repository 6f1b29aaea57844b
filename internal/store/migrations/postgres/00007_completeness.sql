-- What the CI systems have and what is here: one row for each project of each
-- CI system that was asked or that called. A project may have no pipeline here
-- yet, so it is kept by name.

-- +goose Up
CREATE TABLE completeness (
	provider      TEXT   NOT NULL,
	project       TEXT   NOT NULL, -- by full path
	since_ms      BIGINT, -- all that changed from here ...
	until_ms      BIGINT, -- ... to here has been compared
	checked_ms    BIGINT, -- when the last comparison ended
	exist         BIGINT, -- pipelines that the CI system has, created since since_ms; null: it does not say
	stored        BIGINT, -- and how many of them were here then
	compared      BIGINT NOT NULL, -- pipelines looked at, all comparisons together, and of these:
	missing       BIGINT NOT NULL, -- those that were not here
	stale         BIGINT NOT NULL, -- those of which not all was here
	healed        BIGINT NOT NULL, -- those of both that are here now
	last_event_ms BIGINT, -- when its last webhook came, right to about a minute
	failure       TEXT, -- why the last comparison broke off
	CONSTRAINT completeness_pkey PRIMARY KEY (provider, project)
);

-- Windows in which pipelines were created that nobody had told of.
CREATE TABLE gaps (
	provider TEXT   NOT NULL,
	project  TEXT   NOT NULL,
	from_ms  BIGINT NOT NULL, -- the first one's creation
	until_ms BIGINT NOT NULL, -- the last one's creation
	missing  BIGINT NOT NULL,
	healed   BIGINT NOT NULL, -- how many of them are here now
	found_ms BIGINT NOT NULL,
	CONSTRAINT gaps_pkey PRIMARY KEY (provider, project, from_ms)
);

-- +goose Down
DROP TABLE gaps;
DROP TABLE completeness;
