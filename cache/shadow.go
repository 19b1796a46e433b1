package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"odastream/internal/session"
	"odastream/schema"
)

// ErrNotApplied is returned for a topic that the group has not begun to apply, or that
// was recreated while the group still applies the earlier one. The cache's rows are not
// from this topic, so they cannot be compared with it.
var ErrNotApplied = errors.New("nothing of this topic is applied yet")

// ShadowTopic names what a ShadowTable holds.
type ShadowTopic struct {
	Entity     string
	Topic      string
	TopicID    [16]byte
	Partitions int
	// KeysOnly leaves out the content: enough for DeleteAbsent, too little for Compare.
	KeysOnly bool
}

// ShadowTable is a temporary table with a topic's records of each key of an entity, to
// be compared with the cache. It has its own connection and is not safe for concurrent
// use. Close it after use.
//
// It keeps Invariant 3 without comparing seqs. Rows are looked at, the topic is read to
// its end, and then, under the locks of all of its partitions, those that are still the
// same are compared: the table has every record that any sink can have applied to them.
// So a row that differs from the topic is damage and not a newer row, whatever its seq.
// Nothing is read from Kafka while sinks wait for the locks.
type ShadowTable struct {
	ShadowTopic
	store *Store
	conn  *pgx.Conn
}

// Each record is a row. Of each key the newest counts: the one with the highest seq,
// and of equal ones the first, as in a batch. A record that cannot be read has seq 0.
const createShadow = `CREATE TEMPORARY TABLE odastream_shadow (
    entity_id       bigint NOT NULL,
    seq             bigint NOT NULL,
    part            integer NOT NULL,
    "offset"        bigint NOT NULL,
    removes         boolean NOT NULL,
    data            jsonb,
    opdateringsdato timestamp
);
ALTER TABLE odastream_shadow ALTER data SET STORAGE EXTERNAL;
ALTER TABLE odastream_shadow SET (toast_tuple_target = 8160);
CREATE TEMPORARY TABLE odastream_found (entity_id bigint NOT NULL, verdict text NOT NULL) ON COMMIT DELETE ROWS`

// OpenShadow creates an empty shadow table. It takes a connection out of the pool
// until Close.
func (s *Store) OpenShadow(ctx context.Context, topic ShadowTopic) (*ShadowTable, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("open shadow table of %s: %w", topic.Entity, err)
	}
	t := &ShadowTable{ShadowTopic: topic, store: s, conn: conn.Hijack()}
	if _, err := t.conn.Exec(ctx, createShadow); err != nil {
		t.Close() //nolint:contextcheck // it ends the session although ctx has ended
		return nil, fmt.Errorf("open shadow table of %s: %w", topic.Entity, err)
	}
	return t, nil
}

// Close ends the connection, and the table with it.
func (t *ShadowTable) Close() {
	_ = t.conn.Close(context.Background()) // the server notices a broken connection by itself
}

// Index indexes the table for Compare once every record was added, and returns how
// many keys it has.
func (t *ShadowTable) Index(ctx context.Context) (keys int64, err error) {
	err = pgx.BeginTxFunc(ctx, t.conn, txOptions, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0;
CREATE INDEX ON pg_temp.odastream_shadow (entity_id, seq DESC, part, "offset");
ANALYZE pg_temp.odastream_shadow`); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT DISTINCT entity_id FROM pg_temp.odastream_shadow) x`).Scan(&keys)
	})
	if err != nil {
		return 0, fmt.Errorf("index shadow table of %s: %w", t.Entity, err)
	}
	return keys, nil
}

// settle compares ids under the locks, and adds what mend adds to the same message.
//
// It calls readOn every time: a record may have been compacted away before it was read,
// and then a newer one of its key follows. Rows that were written after they had been
// looked at are looked at again, and so are all rows if a lock is not free in time.
func (t *ShadowTable) settle(ctx context.Context, ids []int64, readOn func(context.Context) error, mend func(*session.Message)) (damage []Damage, err error) {
	for len(ids) > 0 {
		var found []Damage
		err := t.store.untilUnlocked(ctx, "compare rows with their topic", func() error {
			seen, err := t.look(ctx, ids)
			if err != nil {
				return err
			}
			if err := readOn(ctx); err != nil {
				return err
			}
			found, ids, err = t.underLocks(ctx, seen, mend)
			return err
		})
		if err != nil {
			return damage, err
		}
		damage = append(damage, found...)
	}
	return damage, nil
}

// seenRows are rows as they were looked at.
type seenRows struct {
	ids      []int64
	versions []string // where the row and its delete lie, and which transactions wrote them
}

// version of the id s.id, current or deleted, of the entity $1.
const version = `concat(
    (SELECT concat(p.ctid, p.xmin) FROM parliamentary_data p WHERE p.entity_type = $1 AND p.entity_id = s.id), ' ',
    (SELECT concat(d.ctid, d.xmin) FROM parliamentary_deleted d WHERE d.entity_type = $1 AND d.entity_id = s.id))`

func (t *ShadowTable) look(ctx context.Context, ids []int64) (seen seenRows, err error) {
	rows, err := t.conn.Query(ctx, `SELECT s.id, `+version+` FROM unnest($2::bigint[]) AS s (id)`, pgx.QueryExecModeSimpleProtocol, t.Entity, ids)
	if err != nil {
		return seen, err
	}
	var id int64
	var at string
	_, err = pgx.ForEachRow(rows, []any{&id, &at}, func() error {
		seen.ids, seen.versions = append(seen.ids, id), append(seen.versions, at)
		return nil
	})
	return seen, err
}

// underLocks compares rows and mends them, with one message, so that the server holds no
// lock while it waits for us. written are the ids of rows that differ and were written
// after they had been looked at.
func (t *ShadowTable) underLocks(ctx context.Context, seen seenRows, mend func(*session.Message)) (damage []Damage, written []int64, err error) {
	var m session.Message
	begin(&m, lockWithin)
	lockForWriting(&m, t.lockKeys())
	m.Add(isApplied, t.store.group, t.Topic, hexID(t.TopicID)).Else(ErrNotApplied)
	find := t.comparison(selectIDs, offsetsNow) + keepVerdicts
	m.Add(find, t.Entity, seen.ids, seen.versions, t.store.group, t.Topic, t.Partitions).Read(func(rows pgx.Rows) error {
		var d Damage
		var same bool
		_, err := pgx.ForEachRow(rows, []any{&d.ID, &d.Verdict, &same}, func() error {
			if same {
				damage = append(damage, d)
			} else {
				written = append(written, d.ID)
			}
			return nil
		})
		return err
	})
	mend(&m)
	m.Add(`COMMIT`)
	if err := m.Run(ctx, t.conn); err != nil {
		return nil, seen.ids, err
	}
	return damage, written, nil
}

// isApplied fails unless the group applies the topic and no other one of its name.
const isApplied = `SELECT 1 / (count(*) > 0 AND bool_and(topic_id = $3))::integer FROM sink_offsets WHERE group_id = $1 AND topic = $2`

// offsetsNow are the group's next offsets by partition, 0 where it has none.
const offsetsNow = `(SELECT array_agg(COALESCE(o.next_offset, 0) ORDER BY n.partition) FROM generate_series(0, $6 - 1) AS n (partition)
    LEFT JOIN sink_offsets o ON o.group_id = $4 AND o.topic = $5 AND o.partition = n.partition)`

func (t *ShadowTable) lockKeys() []int64 {
	keys := make([]int64, t.Partitions)
	for p := range keys {
		keys[p] = lockKey(schema.TopicPartition{Topic: t.Topic, Partition: int32(p)})
	}
	slices.Sort(keys)
	return keys
}

// applied returns the group's next offset of each partition, 0 where it has none.
func (t *ShadowTable) applied(ctx context.Context) ([]int64, error) {
	rows, err := t.conn.Query(ctx, `SELECT partition, topic_id, next_offset FROM sink_offsets WHERE group_id = $1 AND topic = $2`, t.store.group, t.Topic)
	if err != nil {
		return nil, fmt.Errorf("read offsets of %s: %w", t.store.group, err)
	}
	next, known := make([]int64, t.Partitions), false
	var partition int32
	var id [16]byte
	var offset int64
	_, err = pgx.ForEachRow(rows, []any{&partition, &id, &offset}, func() error {
		if id != t.TopicID {
			return ErrNotApplied
		}
		if int(partition) < len(next) {
			next[partition], known = offset, true
		}
		return nil
	})
	if err == nil && !known {
		err = ErrNotApplied
	}
	if err != nil {
		return nil, fmt.Errorf("read offsets of %s in %s: %w", t.store.group, t.Topic, err)
	}
	return next, nil
}
