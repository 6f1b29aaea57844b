-- The pipelines of 32 days of a project by columns, packed: a memo of its packed
-- days that questions about pipelines read instead of the rows
-- (docs/decisions/0017-volumes.md).

-- +goose Up
CREATE TABLE volumes (
	project_id BIGINT  NOT NULL,
	volume     BIGINT  NOT NULL, -- of the creation of pipelines: the day, counted from 1970, by 32; there is a row for each in which a day was packed
	days       BIGINT  NOT NULL DEFAULT 0, -- a bit for each day that is in the body, and counts if it is not stale
	is_due     BOOLEAN NOT NULL DEFAULT true, -- a day was packed since the body was made
	packing    BIGINT, -- a number while the body is being made; who packs a day of it takes it away
	body       BLOB,
	CONSTRAINT volumes_pkey PRIMARY KEY (project_id, volume)
);
CREATE INDEX volumes_due ON volumes (project_id, volume) WHERE is_due;
INSERT INTO volumes (project_id, volume) SELECT DISTINCT project_id, day / 32 FROM days;

-- +goose Down
DROP TABLE volumes;
