-- Lists of deliveries by state, their bodies' end, and the answers to requests
-- with an Idempotency-Key.

-- +goose Up
CREATE INDEX deliveries_by_state ON deliveries (state, id);
CREATE INDEX deliveries_with_body ON deliveries (received_ms) WHERE body IS NOT NULL AND state <> 'waiting';
CREATE INDEX deliveries_by_received ON deliveries (received_ms);
CREATE TABLE idempotency_keys (
	key         TEXT   NOT NULL, -- a hash of the route, the caller and the key
	fingerprint TEXT   NOT NULL, -- a hash of the body
	status      BIGINT NOT NULL,
	answer      BYTEA, -- compressed by zstd
	created_ms  BIGINT NOT NULL,
	CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key)
);
CREATE INDEX idempotency_keys_by_created ON idempotency_keys (created_ms);

-- +goose Down
DROP TABLE idempotency_keys;
DROP INDEX deliveries_by_received;
DROP INDEX deliveries_with_body;
DROP INDEX deliveries_by_state;
