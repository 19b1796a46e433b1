-- What package query needs to read the rows as they were: from when on the history is whole,
-- since before that rows that have changed since would be missing, and an aggregate that
-- undoes changes.

-- +goose Up
CREATE TABLE parliamentary_history_start (
    one       boolean     PRIMARY KEY DEFAULT true CHECK (one),
    kept_from timestamptz NOT NULL
);
COMMENT ON TABLE parliamentary_history_start IS 'Empty while the whole history is kept.';
COMMENT ON COLUMN parliamentary_history_start.kept_from IS 'The end of the last month that HISTORY_KEEP has dropped.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION parliamentary_history_forget(keep interval) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '2s' SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    old     record;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('odastream parliamentary_history_ahead', 0));
    FOR old IN
        SELECT c.oid::regclass AS part, (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' AS ended
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'parliamentary_history'::regclass AND c.relname ~ '^parliamentary_history_\d{4}_\d{2}$'
          AND (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' <= now() - keep
    LOOP
        EXECUTE format('DROP TABLE %s', old.part);
        INSERT INTO parliamentary_history_start AS s (kept_from) VALUES (old.ended)
        ON CONFLICT (one) DO UPDATE SET kept_from = GREATEST(s.kept_from, excluded.kept_from);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
-- +goose StatementEnd

-- as_of as an aggregate: of the later changes of a row, from the last one to the first, and
-- the row as it is now. It begins with false, which is no row.
CREATE FUNCTION parliament.undo(was jsonb, now jsonb, action text, changed text[], before jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE action WHEN 'update' THEN (CASE was WHEN 'false'::jsonb THEN now ELSE was END - changed) || before WHEN 'delete' THEN before END;

CREATE AGGREGATE parliament.undone(now jsonb, action text, changed text[], before jsonb) (
    SFUNC = parliament.undo, STYPE = jsonb, INITCOND = 'false', PARALLEL = SAFE);
COMMENT ON AGGREGATE parliament.undone(jsonb, text, text[], jsonb) IS 'The row before its changes, from the last one to the first (ORDER BY seq DESC); the first argument is the row as it is now.';

-- +goose Down
DROP AGGREGATE parliament.undone(jsonb, text, text[], jsonb);
DROP FUNCTION parliament.undo(jsonb, jsonb, text, text[], jsonb);
DROP TABLE parliamentary_history_start;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION parliamentary_history_forget(keep interval) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '2s' SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' AS $$
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
