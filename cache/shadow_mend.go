package cache

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/internal/session"
)

// Damage is a key that differs between the cache and the topic.
type Damage struct {
	ID      int64
	Verdict Verdict
}

// Examine compares ids under the locks and returns those that are damaged. With mend
// it writes each of them as the topic has it, in the same transaction. It removes a
// row that the topic does not have and keeps no seq of it: somebody added it by hand.
//
// It writes no history, because nothing changed at the source. readOn must add what
// was written to the topic since it was last read; it is called without the locks, and
// again if rows were written meanwhile.
func (t *ShadowTable) Examine(ctx context.Context, ids []int64, mend bool, readOn func(context.Context) error) (damage []Damage, err error) {
	err = t.withPartition(ctx, func() error {
		found, err := t.settle(ctx, ids, readOn, func(m *session.Message) {
			if mend {
				m.Add(mendDeleted, t.Entity)
				m.Add(mendRows, t.Entity, t.ttl())
				m.Add(mendMemory, t.Entity)
				m.Add(raiseMendedEpoch, t.Entity)
			}
		})
		damage = append(damage, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("examine %d rows of %s: %w", len(ids), t.Entity, err)
	}
	slices.SortFunc(damage, func(a, b Damage) int { return cmp.Compare(a.ID, b.ID) })
	return damage, nil
}

// DeleteAbsent compares ids under the locks and deletes those rows of which the topic
// holds no record: compaction removed their deletes. It stores them as deleted, with
// their history, under the newest seq of the topic (Invariant 3): by then they had been
// deleted. readOn is as for Examine.
func (t *ShadowTable) DeleteAbsent(ctx context.Context, ids []int64, readOn func(context.Context) error) (removed int, err error) {
	err = t.withPartition(ctx, func() error {
		found, err := t.settle(ctx, ids, readOn, func(m *session.Message) {
			m.Add(deleteAbsent, t.Entity)
			m.Add(raiseMendedEpoch, t.Entity)
		})
		removed += len(found)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("remove %d rows of %s: %w", len(ids), t.Entity, err)
	}
	return removed, nil
}

// RenewOffsets sets the time of the group's offsets of the topic to now: everything
// before them is in the cache, deletes included.
func (t *ShadowTable) RenewOffsets(ctx context.Context) error {
	const query = `UPDATE sink_offsets SET updated_at = now() WHERE group_id = $1 AND topic = $2 AND topic_id = $3`
	if _, err := t.conn.Exec(ctx, query, pgx.QueryExecModeSimpleProtocol, t.store.group, t.Topic, hexID(t.TopicID)); err != nil {
		return fmt.Errorf("renew offsets of %s: %w", t.Topic, err)
	}
	return nil
}

// withPartition runs do, and again if it lacked a partition.
func (t *ShadowTable) withPartition(ctx context.Context, do func() error) error {
	err := do()
	if isMissingPartition(err) {
		if err = t.store.makePartitions(ctx, []string{t.Entity}); err == nil {
			err = do()
		}
	}
	return err
}

func (t *ShadowTable) ttl() *int64 {
	if ttl := t.store.cfg.TTL[t.Entity]; ttl > 0 {
		seconds := int64(ttl / time.Second)
		return &seconds
	}
	return nil
}

// The statements that mend what odastream_found names.
const (
	// Rows that were written after they had been looked at ($3) are not mended.
	keepVerdicts = `, found AS (
    SELECT c.entity_id, c.verdict, s.version = ` + version + ` AS same
    FROM compared c JOIN unnest($2::bigint[], $3::text[]) AS s (id, version) ON s.id = c.entity_id
    WHERE c.verdict IN ('missing', 'different', 'extra', 'undeleted')
), kept AS (
    INSERT INTO pg_temp.odastream_found SELECT entity_id, verdict FROM found WHERE same
)
SELECT entity_id, verdict, same FROM found ORDER BY entity_id`

	newest = `LATERAL (SELECT s.seq, s.removes, s.data, s.opdateringsdato FROM pg_temp.odastream_shadow s
    WHERE s.entity_id = f.entity_id ORDER BY s.seq DESC, s.part, s."offset" LIMIT 1) w`

	// The content of a row that the topic has as deleted is kept if the row is older
	// than the delete.
	mendDeleted = `WITH removed AS (
    DELETE FROM parliamentary_data p USING pg_temp.odastream_found f
    WHERE p.entity_type = $1 AND p.entity_id = f.entity_id AND f.verdict = 'extra' RETURNING p.entity_id, p.seq, p.data
)
INSERT INTO parliamentary_deleted AS d (entity_type, entity_id, seq, data)
SELECT $1, f.entity_id, w.seq, CASE WHEN r.seq < w.seq THEN r.data END
FROM pg_temp.odastream_found f JOIN ` + newest + ` ON w.removes LEFT JOIN removed r ON r.entity_id = f.entity_id
WHERE f.verdict IN ('extra', 'undeleted') ORDER BY f.entity_id
ON CONFLICT (entity_type, entity_id) DO UPDATE SET seq = excluded.seq, data = COALESCE(d.data, excluded.data), expired = false`

	// since is the seq of the row's last change in the history; without one it is the
	// row's own.
	mendRows = `INSERT INTO parliamentary_data AS p (entity_type, entity_id, data, seq, opdateringsdato, expires_at, since)
SELECT $1, f.entity_id, w.data, w.seq, w.opdateringsdato, now() + make_interval(secs => $2), h.seq
FROM pg_temp.odastream_found f JOIN ` + newest + ` ON NOT w.removes,
LATERAL (SELECT max(h.seq) AS seq FROM parliamentary_history h
    WHERE h.entity_type = $1 AND h.entity_id = f.entity_id AND h.seq <= w.seq) h
WHERE f.verdict IN ('missing', 'different') ORDER BY f.entity_id
ON CONFLICT (entity_type, entity_id) DO UPDATE SET
` + setRow + `    since = COALESCE(excluded.since, CASE WHEN p.since <= excluded.seq THEN p.since END)`

	mendMemory = `DELETE FROM parliamentary_deleted d USING pg_temp.odastream_found f
WHERE d.entity_type = $1 AND d.entity_id = f.entity_id AND f.verdict IN ('missing', 'different')`

	deleteAbsent = `WITH last AS (
    SELECT COALESCE(max(seq), 0) AS seq FROM pg_temp.odastream_shadow
), removed AS (
    DELETE FROM parliamentary_data p USING pg_temp.odastream_found f
    WHERE p.entity_type = $1 AND p.entity_id = f.entity_id
    RETURNING p.entity_id, p.seq, p.data, p.since
), recorded AS (
    INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, before, since)
    SELECT $1, r.entity_id, GREATEST(last.seq, r.seq), 'delete', r.data, COALESCE(r.since, r.seq) FROM removed r, last
)
INSERT INTO parliamentary_deleted AS d (entity_type, entity_id, seq, data)
SELECT $1, r.entity_id, GREATEST(last.seq, r.seq), r.data FROM removed r, last ORDER BY r.entity_id
ON CONFLICT (entity_type, entity_id) DO UPDATE SET
    seq = GREATEST(d.seq, excluded.seq), data = excluded.data, deleted_at = excluded.deleted_at, expired = false`
)
