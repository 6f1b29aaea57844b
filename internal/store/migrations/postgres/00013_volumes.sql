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
	body       BYTEA,
	CONSTRAINT volumes_pkey PRIMARY KEY (project_id, volume)
);
ALTER TABLE volumes ALTER COLUMN body SET STORAGE EXTERNAL; -- it is small already
-- +goose StatementBegin
DO $$
DECLARE key text;
BEGIN
	IF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
		EXECUTE $q$SELECT column_to_column_name(logicalrelid, partkey) FROM pg_dist_partition WHERE logicalrelid = 'pipelines'::regclass AND partmethod = 'h'$q$ INTO key;
		IF key IS NOT NULL THEN
			PERFORM create_distributed_table('volumes', 'project_id', colocate_with => CASE key WHEN 'id' THEN 'none' ELSE 'pipelines' END);
		END IF;
	END IF;
END $$;
-- +goose StatementEnd
CREATE INDEX volumes_due ON volumes (project_id, volume) WHERE is_due;
INSERT INTO volumes (project_id, volume) SELECT DISTINCT project_id, day / 32 FROM days;

-- +goose Down
DROP TABLE volumes;
