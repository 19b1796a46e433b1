-- A compacted topic whose first offset moves has lost records.

-- +goose Up
ALTER TABLE poller_positions ADD COLUMN start_offset bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN poller_positions.start_offset IS 'The first offset of the topic partition when the ledger was filled from it.';

-- +goose Down
ALTER TABLE poller_positions DROP COLUMN start_offset;
