-- Of PostgreSQL alone: see there.

-- +goose Up

-- +goose Down
