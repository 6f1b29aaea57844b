-- The inbox: each call of a webhook as it came, until its reports are saved.

-- +goose Up
CREATE TABLE deliveries (
	id              INTEGER PRIMARY KEY AUTOINCREMENT,
	provider        TEXT   NOT NULL,
	dedupe_key      TEXT   NOT NULL, -- the sender's id of the delivery, else "sha256:" and the body's hash
	event           TEXT,
	received_ms     BIGINT NOT NULL,
	state           TEXT   NOT NULL, -- waiting, done, ignored or failed
	reason          TEXT, -- why it failed or was ignored
	tries           BIGINT NOT NULL,
	leased_until_ms BIGINT NOT NULL, -- a worker has it until then
	body            BLOB, -- compressed by zstd, without e-mail addresses and variables; null once pruned
	CONSTRAINT deliveries_dedupe_key UNIQUE (provider, dedupe_key)
);
CREATE INDEX deliveries_waiting ON deliveries (id) WHERE state = 'waiting';

-- +goose Down
DROP TABLE deliveries;
