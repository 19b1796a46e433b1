package cache

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
)

// Verdict says how a key of the cache differs from the topic.
type Verdict string

// The verdicts. Those up to Undeleted are damage, the other two are not.
const (
	Missing    Verdict = "missing"    // the topic has a row, the cache has none
	Different  Verdict = "different"  // the cache has another version of the row
	Extra      Verdict = "extra"      // the cache has a row that the topic does not have
	Undeleted  Verdict = "undeleted"  // the cache does not have the delete
	Pending    Verdict = "pending"    // the sink has not applied the key's newest change yet
	Unreadable Verdict = "unreadable" // no record of the key in the topic can be read
)

// compareWithTopic compares the topic (%[2]s: the offsets up to which it is applied) with
// the cache of one entity ($1), for the keys that %[1]s selects with $2.
//
// A row that CACHE_TTL removed is recognized by its seq. Pending records are left to
// the sink, which writes the history of each change.
const compareWithTopic = `WITH topic AS (
    SELECT DISTINCT ON (entity_id) entity_id, seq, part, "offset", removes, data, opdateringsdato
    FROM pg_temp.odastream_shadow WHERE %[1]s ORDER BY entity_id, seq DESC, part, "offset"
), cached AS (
    SELECT entity_id, seq, data, opdateringsdato FROM parliamentary_data WHERE entity_type = $1 AND %[1]s
), deleted AS (
    SELECT entity_id, seq, expired FROM parliamentary_deleted WHERE entity_type = $1 AND %[1]s
), compared AS (
    SELECT entity_id, t.seq > 0 AND NOT t.removes AS row_in_topic, c.seq IS NOT NULL AS row_in_cache, CASE
        WHEN t.seq IS NULL THEN CASE WHEN c.seq IS NOT NULL THEN 'extra' END
        WHEN t.seq = 0 THEN 'unreadable'
        WHEN (t.removes AND c.seq IS NULL AND d.seq = t.seq AND NOT d.expired) IS TRUE THEN NULL
        WHEN (NOT t.removes AND c.seq = t.seq AND c.data = t.data AND c.opdateringsdato IS NOT DISTINCT FROM t.opdateringsdato AND d.seq IS NULL) IS TRUE THEN NULL
        WHEN (NOT t.removes AND c.seq IS NULL AND d.seq = t.seq AND d.expired) IS TRUE THEN NULL
        WHEN t."offset" >= (%[2]s)[t.part + 1] THEN 'pending'
        WHEN NOT t.removes THEN CASE WHEN c.seq IS NULL THEN 'missing' ELSE 'different' END
        ELSE CASE WHEN c.seq IS NULL THEN 'undeleted' ELSE 'extra' END
    END AS verdict
    FROM topic t FULL JOIN cached c USING (entity_id) FULL JOIN deleted d USING (entity_id)
)`

// absentRows replaces compareWithTopic with KeysOnly: it selects the rows of which the
// topic holds no record.
const absentRows = `WITH compared AS (
    SELECT p.entity_id, false AS row_in_topic, true AS row_in_cache, 'extra' AS verdict FROM parliamentary_data p
    WHERE p.entity_type = $1 AND %[1]s AND NOT EXISTS (SELECT FROM pg_temp.odastream_shadow s WHERE s.entity_id = p.entity_id)
      AND %[2]s IS NOT NULL
)`

// The two ways to select keys.
const (
	selectRange = `entity_id > ($2::bigint[])[1] AND entity_id <= ($2::bigint[])[2]`
	selectIDs   = `entity_id = ANY ($2::bigint[])`
)

func (t *ShadowTable) comparison(selection, offsets string) string {
	if t.KeysOnly {
		return fmt.Sprintf(absentRows, selection, offsets)
	}
	return fmt.Sprintf(compareWithTopic, selection, offsets)
}

// Range is the result of comparing a range of ids.
type Range struct {
	High       int64 // the range's last id; math.MaxInt64 if it is the last range
	InTopic    int64 // rows that the topic has in it
	InCache    int64 // rows that the cache has in it
	Pending    int64 // keys that the sink has yet to bring up to date
	Unreadable int64
	// Candidates are the ids that seem to differ, sorted. Compare takes no lock, so only
	// Examine can tell which of them are damage.
	Candidates []int64
}

// Compare compares the next ids above low (math.MinInt64: from the first on), about
// n rows.
func (t *ShadowTable) Compare(ctx context.Context, low int64, n int) (Range, error) {
	r := Range{High: math.MaxInt64}
	next, err := t.applied(ctx)
	if err != nil {
		return r, err
	}
	err = pgx.BeginTxFunc(ctx, t.conn, txOptions, func(tx pgx.Tx) error {
		var high *int64
		if err := tx.QueryRow(ctx, rangeEnd, t.Entity, low, n).Scan(&high); err != nil {
			return err
		}
		if high != nil {
			r.High = *high
		}
		return tx.QueryRow(ctx, t.comparison(selectRange, `$3::bigint[]`)+countVerdicts, t.Entity, []int64{low, r.High}, next).
			Scan(&r.InTopic, &r.InCache, &r.Pending, &r.Unreadable, &r.Candidates)
	})
	if err != nil {
		return r, fmt.Errorf("compare %s above id %d: %w", t.Entity, low, err)
	}
	return r, nil
}

const (
	rangeEnd = `SELECT LEAST(
    (SELECT entity_id FROM pg_temp.odastream_shadow WHERE entity_id > $2 ORDER BY entity_id OFFSET $3 LIMIT 1),
    (SELECT entity_id FROM parliamentary_data WHERE entity_type = $1 AND entity_id > $2 ORDER BY entity_id OFFSET $3 LIMIT 1))`

	countVerdicts = ` SELECT count(*) FILTER (WHERE row_in_topic), count(*) FILTER (WHERE row_in_cache),
    count(*) FILTER (WHERE verdict = 'pending'), count(*) FILTER (WHERE verdict = 'unreadable'),
    COALESCE(array_agg(entity_id ORDER BY entity_id) FILTER (WHERE verdict IN ('missing', 'different', 'extra', 'undeleted')), '{}')
FROM compared`
)
