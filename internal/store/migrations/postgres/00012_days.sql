-- The columns of a project's day, packed: a memo of the rows that questions
-- about jobs read instead of them (docs/decisions/0013-days.md).

-- +goose Up
CREATE TABLE days (
	project_id BIGINT NOT NULL,
	day        BIGINT NOT NULL, -- of the creation of pipelines, in UTC, counted from 1970; there is a row for each day that has some
	packing    BIGINT, -- a number while the body is being made; a writer of the day's rows takes it away
	body       BYTEA, -- null: not packed since the rows changed
	CONSTRAINT days_pkey PRIMARY KEY (project_id, day)
);
ALTER TABLE days ALTER COLUMN body SET STORAGE EXTERNAL; -- it is compressed already
-- +goose StatementBegin
DO $$
DECLARE key text;
BEGIN
	IF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
		EXECUTE $q$SELECT column_to_column_name(logicalrelid, partkey) FROM pg_dist_partition WHERE logicalrelid = 'pipelines'::regclass AND partmethod = 'h'$q$ INTO key;
		IF key IS NOT NULL THEN
			PERFORM create_distributed_table('days', 'project_id', colocate_with => CASE key WHEN 'id' THEN 'none' ELSE 'pipelines' END);
		END IF;
	END IF;
END $$;
-- +goose StatementEnd
CREATE INDEX days_to_pack ON days (project_id, day) WHERE body IS NULL;
INSERT INTO days (project_id, day) SELECT DISTINCT project_id, created_ms / 86400000 FROM pipelines;

-- +goose Down
DROP TABLE days;
