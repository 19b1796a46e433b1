package cache

import (
	"errors"

	"odastream/internal/session"
)

// errHistory ends a try without history that changed an existing row or created a
// deleted one again.
var errHistory = errors.New("batch needs its history written")

// addHistory adds the history of each entity's records to m, to be run under the
// partitions' locks before the rows are written. One entity a statement, so that
// the plan has only its partitions.
//
// A batch of snapshots is first tried without it: a first load finds no rows and needs
// no look-up.
func addHistory(m *session.Message, entities []string) {
	for _, entity := range entities {
		m.Add(recordHistory, entity)
	}
}

// recordHistory compares each record of the stage that is newer than what the
// cache holds with its predecessor: the record before it in the batch, else the
// row as it is. The predecessor, not the record's action, decides what the record does,
// because the action may come from before a compaction or a republishing: an update
// or a snapshot of a deleted row creates it again, a create over a row changes it.
// Of keys without any predecessor only a create is history; the others are a first
// load. A change of the source's stamp alone is not history.
//
// before and after have the changed members as the row before and the row after
// have them. since is the seq of the last record before this one that changed
// something, else the row's own.
//
// OFFSET 0 makes the planner look up by primary key, since it has no statistics of the
// stage. Joining the empty object decompresses a long row once, not once a member.
const recordHistory = `WITH records AS (
    SELECT s.entity_id, s.seq, s.creates, s.removes, s.data, s.opdateringsdato,
        CASE WHEN row_number() OVER w = 1 THEN p.data || '{}' ELSE lag(s.data) OVER w END AS was,
        row_number() OVER w > 1 OR p.seq IS NOT NULL OR d.seq IS NOT NULL AS known,
        p.since
    FROM pg_temp.odastream_stage s
    LEFT JOIN LATERAL (
        SELECT p.seq, p.data, COALESCE(p.since, p.seq) AS since FROM parliamentary_data p
        WHERE p.entity_type = $1 AND p.entity_id = s.entity_id OFFSET 0) p ON true
    LEFT JOIN LATERAL (
        SELECT d.seq FROM parliamentary_deleted d
        WHERE d.entity_type = $1 AND d.entity_id = s.entity_id OFFSET 0) d ON true
    WHERE s.entity_type = $1 AND s.seq > COALESCE(p.seq, d.seq, 0)
    WINDOW w AS (PARTITION BY s.entity_id ORDER BY s.seq)
), compared AS (
    SELECT r.*, c.*, COALESCE(c.changed <> '{opdateringsdato}', false) AS differs
    FROM records r LEFT JOIN LATERAL (
        SELECT array_agg(k.name) AS changed,
            jsonb_object_agg(k.name, r.was -> k.name) FILTER (WHERE r.was ? k.name) AS before,
            jsonb_object_agg(k.name, r.data -> k.name) FILTER (WHERE r.data ? k.name) AS after
        FROM (SELECT jsonb_object_keys(r.was || r.data) AS name WHERE r.was IS NOT NULL AND NOT r.removes OFFSET 0) k
        WHERE r.was -> k.name IS DISTINCT FROM r.data -> k.name OFFSET 0) c ON true
), versions AS (
    SELECT *, CASE WHEN removes THEN CASE WHEN was IS NOT NULL THEN 'delete' END
                   WHEN was IS NULL THEN CASE WHEN known OR creates THEN 'create' END
                   WHEN differs THEN 'update' END AS action,
        COALESCE(max(seq) FILTER (WHERE removes OR was IS NULL OR differs) OVER (
            PARTITION BY entity_id ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), since) AS previous_since
    FROM compared
)
INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, changed, before, after, opdateringsdato, since)
SELECT $1, entity_id, seq, action,
    changed,
    CASE action WHEN 'update' THEN COALESCE(before, '{}') WHEN 'delete' THEN was END,
    CASE action WHEN 'update' THEN COALESCE(after, '{}') WHEN 'create' THEN data END,
    opdateringsdato,
    CASE WHEN action <> 'create' THEN previous_since END
FROM versions WHERE action IS NOT NULL`
