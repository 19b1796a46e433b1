-- The joins that everybody writes, as views: who belonged to which party when, who
-- voted what on which case, the votes by party, and the course of a case.
--
-- Each reads named entities only, so that only their partitions are looked into. A
-- link is written twice: as an equality of typed values, by which whole
-- entities are hashed together, and as a containment of jsonb, by which a few rows
-- are found in the GIN index (CACHE_GIN). A row that is not here yet leaves nulls.

-- +goose Up

-- The source has a group anew for each period and does not end the memberships of
-- the former ones, so a membership lasts no longer than its group. It has written
-- both (member, group) and (group, member).
CREATE VIEW parliament.partimedlemskab AS
SELECT
    parliament.as_integer(l.data -> 'fraaktørid') AS "aktørid",
    g.id AS gruppeid,
    COALESCE(NULLIF(g.gruppenavnkort, ''), g.navn) AS parti,
    g.navn AS partinavn,
    GREATEST(parliament.as_timestamp(l.data ->> 'startdato'), g.startdato) AS fra,
    LEAST(parliament.as_timestamp(l.data ->> 'slutdato'), g.slutdato) AS til
FROM parliament.aktoer g
JOIN parliamentary_data l ON l.entity_type = 'AktørAktør' AND parliament.as_integer(l.data -> 'tilaktørid') = g.id
    AND l.data @> jsonb_build_object('tilaktørid', g.id)
WHERE g.typeid = 4
UNION ALL
SELECT
    parliament.as_integer(l.data -> 'tilaktørid'),
    g.id,
    COALESCE(NULLIF(g.gruppenavnkort, ''), g.navn),
    g.navn,
    GREATEST(parliament.as_timestamp(l.data ->> 'startdato'), g.startdato),
    LEAST(parliament.as_timestamp(l.data ->> 'slutdato'), g.slutdato)
FROM parliament.aktoer g
JOIN parliamentary_data l ON l.entity_type = 'AktørAktør' AND parliament.as_integer(l.data -> 'fraaktørid') = g.id
    AND l.data @> jsonb_build_object('fraaktørid', g.id)
WHERE g.typeid = 4;

COMMENT ON VIEW parliament.partimedlemskab IS 'Who belonged to which party group, and when: a row for each membership, one or more for each period.';
COMMENT ON COLUMN parliament.partimedlemskab."aktørid" IS 'The member.';
COMMENT ON COLUMN parliament.partimedlemskab.gruppeid IS 'The party group (Folketingsgruppe), an Aktør with an id of its own in each period.';
COMMENT ON COLUMN parliament.partimedlemskab.parti IS 'Its short name, such as S; UFG: outside of the groups.';
COMMENT ON COLUMN parliament.partimedlemskab.fra IS 'First day, Danish wall clock: the later one of the membership''s and the group''s; null where neither has one.';
COMMENT ON COLUMN parliament.partimedlemskab.til IS 'Last day: the earlier one of the two; null while it lasts.';

-- Of a member's parties that is the one which began last of those that cover the
-- day of the meeting. The memberships are read once (OFFSET 0), not for each use.
CREATE VIEW parliament.stemmer AS SELECT
    s.entity_id AS stemmeid,
    a.entity_id AS afstemningid,
    m.dato,
    k.type AS afstemningstype,
    parliament.as_boolean(a.data -> 'vedtaget') AS vedtaget,
    c.id AS sagid,
    c.nummer AS sagsnummer,
    c.titel AS sagstitel,
    t.entity_id AS sagstrinid,
    t.data ->> 'titel' AS sagstrin,
    parliament.as_integer(s.data -> 'aktørid') AS "aktørid",
    p.navn,
    g.parti,
    CASE parliament.as_integer(s.data -> 'typeid') WHEN 1 THEN 'For' WHEN 2 THEN 'Imod' WHEN 3 THEN 'Fravær'
        WHEN 4 THEN 'Hverken for eller imod' ELSE y.type END AS stemme
FROM parliamentary_data a
LEFT JOIN parliamentary_data t ON t.entity_type = 'Sagstrin' AND t.entity_id = parliament.as_integer(a.data -> 'sagstrinid')
    AND a.data @> jsonb_build_object('sagstrinid', t.entity_id)
LEFT JOIN parliament.sag c ON c.id = parliament.as_integer(t.data -> 'sagid') AND t.data @> jsonb_build_object('sagid', c.id)
LEFT JOIN parliament.moede m ON m.id = parliament.as_integer(a.data -> 'mødeid')
LEFT JOIN parliament.afstemningstype k ON k.id = parliament.as_integer(a.data -> 'typeid')
JOIN parliamentary_data s ON s.entity_type = 'Stemme' AND parliament.as_integer(s.data -> 'afstemningid') = a.entity_id
    AND s.data @> jsonb_build_object('afstemningid', a.entity_id)
LEFT JOIN parliament.stemmetype y ON y.id = parliament.as_integer(s.data -> 'typeid')
LEFT JOIN parliament.aktoer p ON p.id = parliament.as_integer(s.data -> 'aktørid')
LEFT JOIN (
    SELECT i."aktørid",
        array_agg(i.parti ORDER BY i.fra DESC NULLS LAST, i.gruppeid DESC) AS parti,
        array_agg(COALESCE(i.fra::date, '-infinity') ORDER BY i.fra DESC NULLS LAST, i.gruppeid DESC) AS fra,
        array_agg(COALESCE(i.til::date, 'infinity') ORDER BY i.fra DESC NULLS LAST, i.gruppeid DESC) AS til
    FROM (SELECT * FROM parliament.partimedlemskab OFFSET 0) i GROUP BY i."aktørid"
) h ON h."aktørid" = parliament.as_integer(s.data -> 'aktørid')
LEFT JOIN LATERAL (
    SELECT u.parti FROM unnest(h.parti, h.fra, h.til) WITH ORDINALITY AS u (parti, fra, til, n)
    WHERE m.dato::date BETWEEN u.fra AND u.til ORDER BY u.n LIMIT 1
) g ON true
WHERE a.entity_type = 'Afstemning';

COMMENT ON VIEW parliament.stemmer IS 'Who voted what on which case: a row for each Stemme whose Afstemning is here. What does not concern a case, or is not here yet, is null.';
COMMENT ON COLUMN parliament.stemmer.dato IS 'Of the meeting, Danish wall clock.';
COMMENT ON COLUMN parliament.stemmer.sagsnummer IS 'Such as L 33; each year counts anew.';
COMMENT ON COLUMN parliament.stemmer.parti IS 'The short name of the voter''s party on the day of the meeting, see parliament.partimedlemskab; null where none is known.';
COMMENT ON COLUMN parliament.stemmer.stemme IS 'For, Imod, Fravær (absent), Hverken for eller imod (neither), or what else Stemmetype has.';

-- The votes are counted before the case is looked up: titles are long to sort.
CREATE VIEW parliament.afstemning_resultat AS SELECT
    r.afstemningid,
    r.dato,
    a.vedtaget,
    c.id AS sagid,
    c.nummer AS sagsnummer,
    c.titel AS sagstitel,
    r.parti,
    r."for",
    r.imod,
    r."fravær",
    r.hverken
FROM (
    SELECT v.afstemningid, v.dato, v.parti,
        count(*) FILTER (WHERE v.stemme = 'For') AS "for",
        count(*) FILTER (WHERE v.stemme = 'Imod') AS imod,
        count(*) FILTER (WHERE v.stemme = 'Fravær') AS "fravær",
        count(*) FILTER (WHERE v.stemme = 'Hverken for eller imod') AS hverken
    FROM parliament.stemmer v GROUP BY v.afstemningid, v.dato, v.parti
) r
JOIN parliament.afstemning a ON a.id = r.afstemningid
LEFT JOIN parliament.sagstrin t ON t.id = a.sagstrinid
LEFT JOIN parliament.sag c ON c.id = t.sagid;

COMMENT ON VIEW parliament.afstemning_resultat IS 'The votes by party: a row for each Afstemning and party. An Afstemning without votes has none.';
COMMENT ON COLUMN parliament.afstemning_resultat.dato IS 'Of the meeting, Danish wall clock.';
COMMENT ON COLUMN parliament.afstemning_resultat.parti IS 'The short name of the party on the day of the meeting; null: of those whose party is not known.';
COMMENT ON COLUMN parliament.afstemning_resultat."for" IS 'Votes in favour; the name is a word of SQL and wants its quotes.';
COMMENT ON COLUMN parliament.afstemning_resultat."fravær" IS 'Absent.';
COMMENT ON COLUMN parliament.afstemning_resultat.hverken IS 'Neither for nor against.';

CREATE VIEW parliament.sag_forloeb AS
SELECT
    s.id AS sagid,
    s.nummer,
    s.titel,
    o.titel AS periode,
    u.status,
    t.entity_id AS sagstrinid,
    parliament.as_timestamp(t.data ->> 'dato') AS dato,
    t.data ->> 'titel' AS sagstrin,
    y.type AS sagstrinstype,
    z.status AS sagstrinsstatus,
    parliament.as_integer(l.data -> 'aktørid') AS "aktørid",
    p.navn,
    r.rolle
FROM parliament.sag s
JOIN parliamentary_data t ON t.entity_type = 'Sagstrin' AND parliament.as_integer(t.data -> 'sagid') = s.id
    AND t.data @> jsonb_build_object('sagid', s.id)
LEFT JOIN parliament.periode o ON o.id = s.periodeid
LEFT JOIN parliament.sagsstatus u ON u.id = s.statusid
LEFT JOIN parliament.sagstrinstype y ON y.id = parliament.as_integer(t.data -> 'typeid')
LEFT JOIN parliament.sagstrinsstatus z ON z.id = parliament.as_integer(t.data -> 'statusid')
LEFT JOIN parliamentary_data l ON l.entity_type = 'SagstrinAktør' AND parliament.as_integer(l.data -> 'sagstrinid') = t.entity_id
    AND l.data @> jsonb_build_object('sagstrinid', t.entity_id)
LEFT JOIN parliament.aktoer p ON p.id = parliament.as_integer(l.data -> 'aktørid')
LEFT JOIN parliament.sagstrinaktoerrolle r ON r.id = parliament.as_integer(l.data -> 'rolleid')
UNION ALL
SELECT s.id, s.nummer, s.titel, o.titel, u.status, NULL, NULL, NULL, NULL, NULL, parliament.as_integer(l.data -> 'aktørid'), p.navn, r.rolle
FROM parliament.sag s
LEFT JOIN parliament.periode o ON o.id = s.periodeid
LEFT JOIN parliament.sagsstatus u ON u.id = s.statusid
LEFT JOIN parliamentary_data l ON l.entity_type = 'SagAktør' AND parliament.as_integer(l.data -> 'sagid') = s.id
    AND l.data @> jsonb_build_object('sagid', s.id)
LEFT JOIN parliament.aktoer p ON p.id = parliament.as_integer(l.data -> 'aktørid')
LEFT JOIN parliament.sagaktoerrolle r ON r.id = parliament.as_integer(l.data -> 'rolleid');

COMMENT ON VIEW parliament.sag_forloeb IS 'The course of a case: a row for each of its own actors (sagstrinid is null), and for each step and each actor of the step. ORDER BY sagid, dato NULLS FIRST, sagstrinid.';
COMMENT ON COLUMN parliament.sag_forloeb.nummer IS 'Such as L 33; each periode counts anew.';
COMMENT ON COLUMN parliament.sag_forloeb.periode IS 'The parliamentary year, such as 2014-15.';
COMMENT ON COLUMN parliament.sag_forloeb.sagstrinid IS 'The step; null: the row is about the case as a whole.';
COMMENT ON COLUMN parliament.sag_forloeb.dato IS 'Of the step, Danish wall clock.';
COMMENT ON COLUMN parliament.sag_forloeb."aktørid" IS 'Who takes part in the step, or in the case; null: nobody does.';
COMMENT ON COLUMN parliament.sag_forloeb.rolle IS 'As what: SagAktørRolle of the case, SagstrinAktørRolle of a step.';

-- +goose Down
DROP VIEW parliament.sag_forloeb;
DROP VIEW parliament.afstemning_resultat;
DROP VIEW parliament.stemmer;
DROP VIEW parliament.partimedlemskab;
