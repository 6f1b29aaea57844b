-- What people decide on a project, and what its rows are derived by. It is no fact: where PostgreSQL's tables are spread
-- over many machines it stays on one. No report writes it.

-- +goose Up
CREATE TABLE project_settings (
	id           BIGINT NOT NULL, -- of the project; 0: what the server was started with, for all others
	settings     TEXT   NOT NULL, -- JSON
	changed_ms   BIGINT NOT NULL,
	derived_hash TEXT, -- all rows of the project are known to be derived by these definitions; null: not known
	CONSTRAINT project_settings_pkey PRIMARY KEY (id)
);

-- +goose Down
DROP TABLE project_settings;
