package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

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
// It keeps Invariant 3 without comparing seqs. Under the locks of all of the topic's
// partitions, and with the topic read to its end, the table has every record that any
// sink can have applied. So a row that differs from the topic is damage and not a newer
// row, whatever its seq.
type ShadowTable struct {
	ShadowTopic
	store *Store
	conn  *pgx.Conn
	tx    pgx.Tx // of underLocks; nil outside of it
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

// underLocks runs do in a transaction with the locks of all of the topic's
// partitions, after readOn has added what was written to the topic in the meantime.
// So no sink can have applied a record that the shadow table lacks.
//
// It calls readOn every time: a record may have been compacted away before it was
// read, and then a newer one of its key follows.
func (t *ShadowTable) underLocks(ctx context.Context, readOn func(context.Context) error, do func(tx pgx.Tx, next []int64) error) error {
	return pgx.BeginTxFunc(ctx, t.conn, txOptions, func(tx pgx.Tx) error {
		t.tx = tx
		defer func() { t.tx = nil }()
		if _, err := tx.Exec(ctx, lockPartitions, t.lockKeys()); err != nil {
			return fmt.Errorf("lock the partitions: %w", err)
		}
		if err := readOn(ctx); err != nil {
			return err
		}
		next, err := t.applied(ctx, tx)
		if err != nil {
			return err
		}
		return do(tx, next)
	})
}

func (t *ShadowTable) lockKeys() []int64 {
	keys := make([]int64, t.Partitions)
	for p := range keys {
		keys[p] = lockKey(schema.TopicPartition{Topic: t.Topic, Partition: int32(p)})
	}
	slices.Sort(keys)
	return keys
}

// querier is a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// applied returns the group's next offset of each partition, 0 where it has none.
func (t *ShadowTable) applied(ctx context.Context, q querier) ([]int64, error) {
	rows, err := q.Query(ctx, `SELECT partition, topic_id, next_offset FROM sink_offsets WHERE group_id = $1 AND topic = $2`, t.store.group, t.Topic)
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
