-- The steps of the jobs of a day, packed beside its other columns
-- (docs/decisions/0013-days.md). Days of before are in another
-- form: the packer makes them anew.

-- +goose Up
ALTER TABLE days ADD COLUMN steps BLOB; -- there where the body is

-- +goose Down
ALTER TABLE days DROP COLUMN steps;
UPDATE days SET body = NULL, packing = NULL WHERE body IS NOT NULL OR packing IS NOT NULL;
