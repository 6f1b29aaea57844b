-- A packed day has the phases of its attempts, too. Who reads it takes one of the
-- old form for none, and who packs sees that there is one: so all days are
-- packed anew (docs/decisions/0013-days.md).

-- +goose Up
UPDATE days SET body = NULL, packing = NULL WHERE body IS NOT NULL OR packing IS NOT NULL;

-- +goose Down
UPDATE days SET body = NULL, packing = NULL WHERE body IS NOT NULL OR packing IS NOT NULL;
