-- A cursor over the history that skips no change, whichever transaction commits first.
--
-- A cursor by seq or by time skips changes: a transaction that began early, or a topic
-- that lags, commits smaller values behind a reader. So each row of the history has the
-- number of the transaction that wrote it, and a cursor has a snapshot: the transactions
-- whose rows were read. The next rows are those that are visible now and were written by
-- a transaction that is not in that snapshot. A transaction that runs for long stands in
-- the snapshot by its number, and delays nobody.

-- +goose Up

-- What a cursor is checked against. Numbers of transactions mean something in one
-- cluster only.
CREATE TABLE parliamentary_history_state (
    one     boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (one),
    cluster bigint  NOT NULL,
    drops   integer NOT NULL DEFAULT 0,
    dropped xid8    NOT NULL DEFAULT '1'
);
COMMENT ON TABLE parliamentary_history_state IS 'What the cursors of parliament.changes_after are checked against.';
COMMENT ON COLUMN parliamentary_history_state.cluster IS 'The cluster that parliamentary_history.xid is of: system_identifier of pg_control_system().';
COMMENT ON COLUMN parliamentary_history_state.drops IS 'How many months with rows HISTORY_KEEP has dropped.';
COMMENT ON COLUMN parliamentary_history_state.dropped IS 'The highest xid in the dropped months.';
INSERT INTO parliamentary_history_state (cluster) VALUES (0);
GRANT SELECT ON parliamentary_history_state TO PUBLIC; -- whoever may read the history may have a cursor

-- parliamentary_history_adopt gives all rows the xid 1, which is older than every
-- transaction, if the database was restored from a dump into another cluster. There the
-- stored numbers are those of other transactions. It returns whether it did.
-- +goose StatementBegin
CREATE FUNCTION parliamentary_history_adopt() RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('odastream parliamentary_history_ahead', 0));
    IF EXISTS (SELECT FROM parliamentary_history_state s JOIN pg_control_system() c ON c.system_identifier = s.cluster) THEN
        RETURN false;
    END IF;
    -- A constant as the default rewrites no row.
    ALTER TABLE parliamentary_history DROP COLUMN IF EXISTS xid;
    ALTER TABLE parliamentary_history ADD COLUMN xid xid8 NOT NULL DEFAULT '1';
    ALTER TABLE parliamentary_history ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
    COMMENT ON COLUMN parliamentary_history.xid IS 'The transaction that wrote the row; 1: one before the migration, or before a restore.';
    -- The rows of a transaction share one entry of this index.
    CREATE INDEX parliamentary_history_xid ON parliamentary_history (xid);
    CREATE INDEX parliamentary_history_old ON parliamentary_history (entity_type, entity_id, seq, recorded_at) WHERE xid = '1';
    UPDATE parliamentary_history_state SET cluster = (SELECT system_identifier FROM pg_control_system()), dropped = '1';
    RETURN true;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION parliamentary_history_adopt IS 'Makes a restored history readable by parliament.changes_after; a sink calls it when it starts.';

SELECT parliamentary_history_adopt();

-- parliamentary_history_forgetting notes what parliamentary_history_forget will drop, so
-- that a cursor learns which rows are gone. It is called first, in the same transaction.
-- +goose StatementBegin
CREATE FUNCTION parliamentary_history_forgetting(keep interval) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '2s' SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' AS $$
DECLARE
    old     record;
    highest xid8;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('odastream parliamentary_history_ahead', 0));
    FOR old IN
        SELECT c.oid::regclass AS part FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'parliamentary_history'::regclass AND c.relname ~ '^parliamentary_history_\d{4}_\d{2}$'
          AND (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' <= now() - keep
    LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE MODE', old.part); -- no row may come before the drop
        EXECUTE format('SELECT xid FROM %s ORDER BY xid DESC LIMIT 1', old.part) INTO highest;
        IF highest IS NOT NULL THEN
            UPDATE parliamentary_history_state s SET drops = s.drops + 1, dropped = greatest(s.dropped, highest);
        END IF;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- parliamentary_snapshot makes a snapshot of the transactions below upto that are not
-- running.
CREATE FUNCTION parliamentary_snapshot(upto xid8, running xid8[]) RETURNS pg_snapshot
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT format('%s:%s:%s', COALESCE(min(r.xid), upto), upto, string_agg(r.xid::text, ',' ORDER BY r.xid))::pg_snapshot
    FROM (SELECT DISTINCT unnest(running) AS xid) r WHERE r.xid < upto);

-- parliamentary_snapshot_at is the snapshot of a reader that had read what seen shows,
-- and since then, by growing xid, what present shows of the transactions before xid.
-- xid itself counts as running: its rows are partly read.
CREATE FUNCTION parliamentary_snapshot_at(seen pg_snapshot, present pg_snapshot, xid xid8) RETURNS pg_snapshot
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN parliamentary_snapshot(
    greatest(pg_snapshot_xmax(seen), (xid::text::bigint + 1)::text::xid8),
    ARRAY(SELECT r FROM pg_snapshot_xip(present) r WHERE r < xid AND NOT pg_visible_in_snapshot(r, seen)
        UNION ALL SELECT r FROM pg_snapshot_xip(seen) r WHERE r >= xid
        UNION ALL SELECT xid));

-- A place in the history is a cursor in parts.
CREATE TYPE parliamentary_history_place AS (
    base   text,        -- the cluster and the database
    drops  integer,     -- as in parliamentary_history_state
    anchor bigint,      -- recorded_at, in microseconds, of the row with the highest xid that was read; 0: none
    seen   pg_snapshot, -- what was read; its xmax is one above the xid of the anchor
    xid    xid8,        -- the transaction that was partly read; 0: none
    at     bigint,      -- the last row read of it
    id     bigint,
    seq    bigint,
    entity text
);

CREATE FUNCTION parliamentary_history_text(p parliamentary_history_place) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN concat_ws('.', '1', (p).base, (p).drops, (p).anchor, (p).seen, (p).xid, (p).at, (p).id, (p).seq, (p).entity);

-- parliamentary_history_here is the place of nothing in this database.
-- +goose StatementBegin
CREATE FUNCTION parliamentary_history_here() RETURNS parliamentary_history_place
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    here parliamentary_history_place;
BEGIN
    SELECT to_hex(c.system_identifier) || '-' || d.oid, s.drops, 0, '1:2:1', '1', 0, 0, 0, '' INTO here
    FROM pg_control_system() c JOIN parliamentary_history_state s ON s.cluster = c.system_identifier
    JOIN pg_database d ON d.datname = current_database();
    IF NOT FOUND THEN
        RAISE 'the history is not ready for cursors: the database was restored into another cluster'
            USING ERRCODE = '55000', HINT = 'Start a sink, or call parliamentary_history_adopt() as the owner of the tables.';
    END IF;
    RETURN here;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION parliamentary_history_parse(cursor text) RETURNS parliamentary_history_place
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    part  text[] := regexp_match(cursor,
        '^1\.([0-9a-f]{1,16}-\d{1,10})\.(\d{1,9})\.(\d{1,18})\.(\d{1,18}:\d{1,18}:[\d,]*)\.(\d{1,18})\.(\d{1,18})\.(-?\d{1,19})\.(\d{1,19})\.(.*)$');
    place parliamentary_history_place;
BEGIN
    IF part IS NULL THEN
        RAISE 'cursor is no cursor: "%"', left(cursor, 100)
            USING ERRCODE = '22023', HINT = 'Want ''start'', ''now'', or the cursor of a row of an earlier call.';
    END IF;
    place := ROW (part[1], part[2], part[3], part[4], part[5], part[6], part[7], part[8], part[9]);
    RETURN place;
END
$$;
-- +goose StatementEnd

-- parliamentary_history_check raises an error unless every row that is behind the place
-- is still there, and none behind it was written as a transaction that it counts as read.
-- +goose StatementBegin
CREATE FUNCTION parliamentary_history_check(place parliamentary_history_place, here parliamentary_history_place, present pg_snapshot) RETURNS void
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    why  text;
    gone xid8;
BEGIN
    SELECT s.dropped INTO gone FROM parliamentary_history_state s;
    IF place.base <> here.base THEN
        why := 'it is of another database';
    -- A server that was set back gives numbers again. It has not given those up to the
    -- anchor's again if it has the anchor.
    ELSIF pg_snapshot_xmax(place.seen) > '2' AND NOT EXISTS (SELECT FROM parliamentary_history h
        WHERE h.xid = (pg_snapshot_xmax(place.seen)::text::bigint - 1)::text::xid8 AND parliament.seq_at(h.recorded_at) = place.anchor) THEN
        why := 'the last change before it is no longer in the history';
    ELSIF place.drops <> here.drops AND (NOT pg_visible_in_snapshot(gone, place.seen)
        OR EXISTS (SELECT FROM pg_snapshot_xip(place.seen) r WHERE r <= gone AND pg_visible_in_snapshot(r, present))) THEN
        why := 'changes after it were dropped (HISTORY_KEEP)';
    ELSE
        RETURN;
    END IF;
    RAISE 'cursor is too old: %', why
        USING ERRCODE = 'OD410', HINT = 'Read the rows again, and begin with ''now''; or begin with ''start''.';
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION parliament.changes_after(INOUT cursor text, max integer, OUT entity text, OUT id bigint, OUT action text,
    OUT changed text[], OUT before jsonb, OUT after jsonb, OUT seq bigint, OUT recorded_at timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    here    parliamentary_history_place;
    place   parliamentary_history_place;
    present pg_snapshot;
    rest    integer := max; -- how many rows may follow
    read    integer;
BEGIN
    IF rest IS NULL OR rest < 1 THEN
        RAISE 'max is %, want 1 or more', COALESCE(rest::text, 'null') USING ERRCODE = '22023';
    END IF;
    -- While this lock is held no month is dropped. A transaction with one snapshot for
    -- all statements may lack a month that was dropped before.
    LOCK TABLE ONLY parliamentary_history IN ACCESS SHARE MODE;
    IF EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = 'parliamentary_history'::regclass AND pg_table_is_visible(i.inhrelid) IS NULL) THEN
        RAISE 'a month of the history was dropped since the transaction began' USING ERRCODE = '40001', HINT = 'Begin the transaction again.';
    END IF;
    here := parliamentary_history_here();
    -- Each statement below may see more than this. On a standby the snapshot does not
    -- say which transactions run, only which is the oldest of them.
    present := pg_current_snapshot();
    IF pg_is_in_recovery() THEN
        present := parliamentary_snapshot(pg_snapshot_xmin(present), '{}');
    END IF;
    IF changes_after.cursor = 'now' THEN
        place := here;
        SELECT h.xid, parliament.seq_at(h.recorded_at) INTO place.xid, place.anchor FROM parliamentary_history h
        WHERE h.xid > '1' AND h.xid < pg_snapshot_xmax(present) AND pg_visible_in_snapshot(h.xid, present)
        ORDER BY h.xid DESC LIMIT 1;
        place.seen := parliamentary_snapshot((COALESCE(place.xid::text::bigint, 1) + 1)::text::xid8, ARRAY(SELECT pg_snapshot_xip(present)));
        place.xid := '0';
        place.anchor := COALESCE(place.anchor, 0);
        cursor := parliamentary_history_text(place);
        RETURN NEXT;
        RETURN;
    END IF;
    IF changes_after.cursor = 'start' THEN
        place := here;
    ELSE
        place := parliamentary_history_parse(COALESCE(changes_after.cursor, ''));
        PERFORM parliamentary_history_check(place, here, present);
    END IF;

    -- First what is left of the transaction that was partly read.
    IF place.xid = '1' THEN
        RETURN QUERY SELECT parliamentary_history_text(ROW (here.base, here.drops, place.anchor, place.seen, h.xid,
                parliament.seq_at(h.recorded_at), h.entity_id, h.seq, h.entity_type)),
            h.entity_type, h.entity_id, h.action, h.changed, h.before, h.after, h.seq, h.recorded_at
        FROM parliamentary_history h
        WHERE h.xid = '1' AND (h.entity_type, h.entity_id, h.seq, h.recorded_at) >
            (place.entity, place.id, place.seq, timestamptz 'epoch' + place.at * interval '1 microsecond')
        ORDER BY h.entity_type, h.entity_id, h.seq, h.recorded_at LIMIT rest;
    ELSE
        RETURN QUERY SELECT parliamentary_history_text(ROW (here.base, here.drops, place.anchor, place.seen, h.xid,
                parliament.seq_at(h.recorded_at), h.entity_id, h.seq, h.entity_type)),
            h.entity_type, h.entity_id, h.action, h.changed, h.before, h.after, h.seq, h.recorded_at
        FROM parliamentary_history h
        WHERE h.xid = place.xid AND (h.entity_type, h.entity_id, h.seq) > (place.entity, place.id, place.seq)
        ORDER BY h.entity_type, h.entity_id, h.seq LIMIT rest;
    END IF;
    GET DIAGNOSTICS read = ROW_COUNT;
    rest := rest - read;
    place.seen := parliamentary_snapshot(pg_snapshot_xmax(place.seen), ARRAY(SELECT r FROM pg_snapshot_xip(place.seen) r WHERE r <> place.xid));

    -- Then those that ran when others with higher numbers were read.
    RETURN QUERY WITH page AS (
        SELECT * FROM parliamentary_history h
        WHERE h.xid = ANY (ARRAY(SELECT pg_snapshot_xip(place.seen))) AND pg_visible_in_snapshot(h.xid, present)
        ORDER BY h.xid, h.entity_type, h.entity_id, h.seq LIMIT rest
    ), snapshots AS (
        SELECT x.xid, parliamentary_snapshot_at(place.seen, present, x.xid) AS seen FROM (SELECT DISTINCT p.xid FROM page p) x
    )
    SELECT parliamentary_history_text(ROW (here.base, here.drops, place.anchor, s.seen, p.xid,
            parliament.seq_at(p.recorded_at), p.entity_id, p.seq, p.entity_type)),
        p.entity_type, p.entity_id, p.action, p.changed, p.before, p.after, p.seq, p.recorded_at
    FROM page p JOIN snapshots s USING (xid) ORDER BY p.xid, p.entity_type, p.entity_id, p.seq;
    GET DIAGNOSTICS read = ROW_COUNT;
    rest := rest - read;

    -- Then the higher numbers.
    RETURN QUERY WITH page AS (
        SELECT * FROM parliamentary_history h
        WHERE h.xid >= pg_snapshot_xmax(place.seen) AND h.xid < pg_snapshot_xmax(present) AND pg_visible_in_snapshot(h.xid, present)
        ORDER BY h.xid, h.entity_type, h.entity_id, h.seq LIMIT rest
    ), snapshots AS (
        SELECT x.xid, parliamentary_snapshot_at(place.seen, present, x.xid) AS seen FROM (SELECT DISTINCT p.xid FROM page p) x
    )
    SELECT parliamentary_history_text(ROW (here.base, here.drops, parliament.seq_at(p.recorded_at), s.seen, p.xid,
            parliament.seq_at(p.recorded_at), p.entity_id, p.seq, p.entity_type)),
        p.entity_type, p.entity_id, p.action, p.changed, p.before, p.after, p.seq, p.recorded_at
    FROM page p JOIN snapshots s USING (xid) ORDER BY p.xid, p.entity_type, p.entity_id, p.seq;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION parliament.changes_after(text, integer) IS
'The changes after a cursor, at most max, each with the cursor to go on from. First ''start'' (all of the history) or ''now'' (one row that has only a cursor). No change is skipped or comes twice, whichever transaction commits first. No row: there is nothing new, and the cursor stays. A cursor that is too old is an error, SQLSTATE OD410. On a standby changes come once no older transaction runs on the primary.';

COMMENT ON FUNCTION parliament.changes_since(timestamptz) IS
'The changes captured after that time, by seq: for a look back. Not for polling: a topic that lags brings changes with smaller seqs later. To follow the changes use changes_after.';

-- +goose Down
COMMENT ON FUNCTION parliament.changes_since(timestamptz) IS 'The changes captured after that time, by seq.';
DROP FUNCTION parliament.changes_after(text, integer);
DROP FUNCTION parliamentary_history_check(parliamentary_history_place, parliamentary_history_place, pg_snapshot);
DROP FUNCTION parliamentary_history_parse(text);
DROP FUNCTION parliamentary_history_here();
DROP FUNCTION parliamentary_history_text(parliamentary_history_place);
DROP TYPE parliamentary_history_place;
DROP FUNCTION parliamentary_snapshot_at(pg_snapshot, pg_snapshot, xid8);
DROP FUNCTION parliamentary_snapshot(xid8, xid8[]);
DROP FUNCTION parliamentary_history_adopt();
DROP FUNCTION parliamentary_history_forgetting(interval);
ALTER TABLE parliamentary_history DROP COLUMN xid;
DROP TABLE parliamentary_history_state;
