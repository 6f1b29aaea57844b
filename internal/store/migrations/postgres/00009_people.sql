-- Who signed in to look at the pages, and which projects are made up.

-- +goose Up
CREATE TABLE sessions (
	hash       TEXT   NOT NULL, -- of the cookie
	subject    TEXT   NOT NULL, -- how the pages call who signed in
	scopes     TEXT   NOT NULL,
	bound_to   TEXT   NOT NULL, -- the token that it ends with: "token:" and its id, "env:" and a proof; empty: none
	created_ms BIGINT NOT NULL,
	expires_ms BIGINT NOT NULL,
	CONSTRAINT sessions_pkey PRIMARY KEY (hash)
);
CREATE INDEX sessions_by_expiry ON sessions (expires_ms);
ALTER TABLE projects ADD COLUMN is_demo BOOLEAN NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE projects DROP COLUMN is_demo;
DROP TABLE sessions;
