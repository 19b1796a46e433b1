-- The source describes its own entities and columns, in EntitetBeskrivelse and
-- KolloneBeskrivelse (which it spells so). What they say is put before the comments
-- of the views, for psql's \d+ and for every tool that shows comments.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION parliamentary_describe() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    d record;
    described integer := 0;
BEGIN
    -- Two at once would write the same comment, which one of them may not.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('odastream describe', 0)) THEN
        RETURN 0;
    END IF;
    FOR d IN
        WITH said AS (
            SELECT DISTINCT ON (entity, attribute) entity, attribute, text FROM (
                SELECT id, entitetnavn AS entity, NULL AS attribute, beskrivelse AS text FROM parliament.entitetbeskrivelse
                UNION ALL
                SELECT id, entitetnavn, kollonenavn, beskrivelse FROM parliament.kollonebeskrivelse WHERE kollonenavn IS NOT NULL
            ) s WHERE btrim(text) <> '' ORDER BY entity, attribute, id DESC
        ), meant AS (
            SELECT c.relname, a.attname, old.text AS old,
                btrim(s.text) || E'\n' || COALESCE(substring(old.text from '[^\n]*$'), '') AS new
            FROM said s
            JOIN pg_class c ON c.relnamespace = 'parliament'::regnamespace AND c.relkind = 'v'
                AND c.relname = replace(replace(replace(lower(s.entity), 'æ', 'ae'), 'ø', 'oe'), 'å', 'aa')
            LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND lower(a.attname) = lower(s.attribute)
            CROSS JOIN LATERAL (SELECT CASE WHEN a.attnum IS NULL THEN obj_description(c.oid, 'pg_class') ELSE col_description(c.oid, a.attnum) END) AS old (text)
            WHERE s.attribute IS NULL OR a.attnum IS NOT NULL
        )
        SELECT * FROM meant WHERE old IS DISTINCT FROM new
    LOOP
        IF d.attname IS NULL THEN
            EXECUTE format('COMMENT ON VIEW parliament.%I IS %L', d.relname, d.new);
        ELSE
            EXECUTE format('COMMENT ON COLUMN parliament.%I.%I IS %L', d.relname, d.attname, d.new);
        END IF;
        described := described + 1;
    END LOOP;
    RETURN described;
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION parliamentary_describe IS 'Puts what the source says of its entities and columns before the comments of their views; how many have changed.';

-- +goose Down
DROP FUNCTION parliamentary_describe;
