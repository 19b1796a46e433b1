-- How far the copy is complete, for SQL users who do not know the poller's tables.

-- +goose Up
CREATE VIEW parliament.consistent_through AS
SELECT entity_type AS entity, consistent_through, watermark, loaded_at
FROM poller_watermarks;

COMMENT ON VIEW parliament.consistent_through IS 'How far each entity is known to be complete; the minimum over all entities is that of the whole.';
COMMENT ON COLUMN parliament.consistent_through.entity IS 'The entity set, as in parliamentary_data.entity_type.';
COMMENT ON COLUMN parliament.consistent_through.consistent_through IS 'Everything that the source was at this moment is published: the last whole reading proved it. Null until one did.';
COMMENT ON COLUMN parliament.consistent_through.watermark IS 'Everything that the source stamped up to this moment was seen, except what a whole reading has yet to find.';
COMMENT ON COLUMN parliament.consistent_through.loaded_at IS 'When the first load was complete; null before.';

-- +goose Down
DROP VIEW parliament.consistent_through;
