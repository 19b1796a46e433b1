-- Rows of an entity can change without an offset moving: a rebuild mends them, a replay
-- or a retry writes them, they expire. Whoever wants to know whether an entity's rows are
-- those that it has seen compares its offsets and its epoch.

-- +goose Up
CREATE TABLE cache_epochs (
    entity_type text        PRIMARY KEY,
    epoch       bigint      NOT NULL DEFAULT 1,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cache_epochs IS 'How often rows of an entity were changed by anything but its topic''s next records: a rebuild, a replay, a retry, the expiry.';
COMMENT ON COLUMN cache_epochs.epoch IS 'Raised in each transaction that changed rows and moved no offset.';

-- +goose Down
DROP TABLE cache_epochs;
