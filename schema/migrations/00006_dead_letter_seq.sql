-- A dead letter is superseded once the cache holds a newer seq of its key: the seq
-- of the record itself is kept for that comparison.

-- +goose Up
ALTER TABLE dead_letters ADD COLUMN seq bigint;
COMMENT ON COLUMN dead_letters.seq IS 'Of the change that the record is; null where the record does not tell.';

-- +goose Down
ALTER TABLE dead_letters DROP COLUMN seq;
