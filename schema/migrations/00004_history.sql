-- History of the rows: what as_of needs beside it, its partitions' end, and rows
-- that were removed because their time was over.

-- +goose Up
-- since says from which seq on a content is known to have held. The seq of a row
-- cannot say it: equal content raises the seq alone, and a first load writes no
-- history. It may lie too low, but never below a change that the history has.
ALTER TABLE parliamentary_data ADD COLUMN since bigint;
COMMENT ON COLUMN parliamentary_data.since IS 'The seq from which on this content held; null: as seq.';
ALTER TABLE parliamentary_history ADD COLUMN since bigint;
COMMENT ON COLUMN parliamentary_history.since IS 'The seq from which on the content before held; null for a create.';

-- changes_since reads the changes of all entities by seq, which grows with the
-- table: ranges of blocks find them, and cost a writer next to nothing.
CREATE INDEX parliamentary_history_seq ON parliamentary_history USING brin (seq) WITH (autosummarize = on);

ALTER TABLE parliamentary_deleted ADD COLUMN expired boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN parliamentary_deleted.expired IS 'Removed because CACHE_TTL was over, not deleted at the source: only the seq is kept, and a newer change brings the row back.';
COMMENT ON COLUMN parliamentary_deleted.data IS 'The last content; null if the row was never seen here, or expired.';

CREATE VIEW parliamentary_expired AS
SELECT entity_type AS entity, count(*) AS rows FROM parliamentary_deleted WHERE expired GROUP BY entity_type;
COMMENT ON VIEW parliamentary_expired IS 'How many rows of each entity CACHE_TTL has removed that the source may still have.';

-- parliamentary_history_forget drops the partitions whose last moment lies longer
-- ago than keep, and returns how many. A long query can delay it by no more than
-- the lock_timeout.
-- +goose StatementBegin
CREATE FUNCTION parliamentary_history_forget(keep interval) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    old     record;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('odastream parliamentary_history_ahead', 0));
    FOR old IN
        SELECT c.oid::regclass AS part FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'parliamentary_history'::regclass AND c.relname ~ '^parliamentary_history_\d{4}_\d{2}$'
          AND (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' <= now() - keep
    LOOP
        EXECUTE format('DROP TABLE %s', old.part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
-- +goose StatementEnd

-- A seq is a time: microseconds since 1970.
CREATE FUNCTION parliament.seq_at(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE at WHEN 'infinity' THEN 9223372036854775807 WHEN '-infinity' THEN -9223372036854775808
    ELSE (extract(epoch FROM at) * 1000000)::bigint END;
COMMENT ON FUNCTION parliament.seq_at(timestamptz) IS 'The seq of a change captured at that time.';

-- as_of goes back from the row as it is now and undoes each newer change. That
-- holds for rows of a first load too, which wrote no history.
-- +goose StatementBegin
CREATE FUNCTION parliament.as_of(entity text, id bigint, at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
    upto   bigint := parliament.seq_at(as_of.at);
    was    jsonb;
    since  bigint;
    change record;
BEGIN
    SELECT p.data, COALESCE(p.since, p.seq) INTO was, since FROM parliamentary_data p
    WHERE p.entity_type = as_of.entity AND p.entity_id = as_of.id;
    FOR change IN
        SELECT h.action, h.changed, h.before, h.since FROM parliamentary_history h
        WHERE h.entity_type = as_of.entity AND h.entity_id = as_of.id AND h.seq > upto
        ORDER BY h.seq DESC
    LOOP
        was := CASE change.action WHEN 'update' THEN (was - change.changed) || change.before WHEN 'delete' THEN change.before END;
        since := change.since;
    END LOOP;
    RETURN CASE WHEN since <= upto THEN was END;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION parliament.as_of(text, bigint, timestamptz) IS
'The row as it was at that time, by seq. Null before it was known, after it was deleted, where HISTORY_KEEP has dropped it, and for the life of a row that CACHE_TTL removed.';

-- +goose StatementBegin
CREATE FUNCTION parliament.changes_since(at timestamptz)
RETURNS TABLE (entity text, id bigint, action text, changed text[], before jsonb, after jsonb, seq bigint, recorded_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT h.entity_type, h.entity_id, h.action, h.changed, h.before, h.after, h.seq, h.recorded_at
    FROM parliamentary_history h WHERE h.seq > parliament.seq_at(changes_since.at)
    ORDER BY h.seq, h.entity_type, h.entity_id;
END;
-- +goose StatementEnd
COMMENT ON FUNCTION parliament.changes_since(timestamptz) IS 'The changes captured after that time, by seq.';

-- +goose Down
DROP FUNCTION parliament.changes_since(timestamptz);
DROP FUNCTION parliament.as_of(text, bigint, timestamptz);
DROP FUNCTION parliament.seq_at(timestamptz);
DROP FUNCTION parliamentary_history_forget(interval);
DROP VIEW parliamentary_expired;
ALTER TABLE parliamentary_deleted DROP COLUMN expired;
DROP INDEX parliamentary_history_seq;
ALTER TABLE parliamentary_history DROP COLUMN since;
ALTER TABLE parliamentary_data DROP COLUMN since;
