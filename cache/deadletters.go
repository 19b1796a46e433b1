package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
	"odastream/schema"
)

// DeadLetterState is the state of a dead letter.
type DeadLetterState string

// The states.
const (
	DeadLetterOpen       DeadLetterState = "open"       // not handled yet
	DeadLetterSuperseded DeadLetterState = "superseded" // the cache holds this version of its key, or a newer one
	DeadLetterRetried    DeadLetterState = "retried"    // applied after all
	DeadLetterDiscarded  DeadLetterState = "discarded"  // a person gave it up
)

// DeadLetterRow is a row of dead_letters.
type DeadLetterRow struct {
	DeadLetter
	// State is superseded also if the dead letter is still stored as open but CacheSeq is
	// not below its Seq: see MarkSuperseded.
	State     DeadLetterState
	ChangedAt time.Time // of its state, or of its last failure
	CacheSeq  int64     // seq that the cache holds for its key, deleted or not; 0: none
}

// HasKey reports whether a record with this key may be the dead letter's own: a recreated
// topic has other records at the same offsets.
func (l DeadLetterRow) HasKey(key []byte) bool { return schema.StorableText(string(key)) == l.Key }

// DeadLetterFilter selects dead letters; an empty or zero field selects all.
type DeadLetterFilter struct {
	Topic  string // of the record, not of its dead letter
	Class  string
	Key    string
	Since  time.Time // failed at this moment or later
	Before time.Time // failed earlier
	States []DeadLetterState
	// At selects the dead letter of one record.
	At *TopicPartitionOffset
}

// TopicPartitionOffset names a record of Kafka; it identifies a dead letter.
type TopicPartitionOffset struct {
	schema.TopicPartition
	Offset int64
}

// String returns TOPIC/PARTITION@OFFSET.
func (r TopicPartitionOffset) String() string {
	return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset)
}

// ID returns the place of the dead letter's record.
func (d DeadLetter) ID() TopicPartitionOffset {
	return TopicPartitionOffset{d.TopicPartition, d.Offset}
}

// cacheSeq selects the seq that the cache holds for the key of a dead letter d. A
// malformed key, or one with an id beyond bigint, has no row.
const cacheSeq = `LATERAL (SELECT CASE WHEN d.key ~ '^.+:-?[0-9]{1,18}$' THEN substring(d.key FROM '^(.+):') END AS entity,
    CASE WHEN d.key ~ '^.+:-?[0-9]{1,18}$' THEN substring(d.key FROM '[^:]+$')::bigint END AS id) k,
LATERAL (SELECT GREATEST(
    (SELECT p.seq FROM parliamentary_data p WHERE p.entity_type = k.entity AND p.entity_id = k.id),
    (SELECT x.seq FROM parliamentary_deleted x WHERE x.entity_type = k.entity AND x.entity_id = k.id)) AS seq) cached`

const selectDeadLetters = `SELECT * FROM (
    SELECT d.topic, d.partition, d."offset", d.key, d.class, COALESCE(d.sqlstate, ''), d.error, d.failed_at, COALESCE(d.seq, 0),
        CASE WHEN d.state = 'open' AND cached.seq >= d.seq THEN 'superseded' ELSE d.state END AS state, d.changed_at, COALESCE(cached.seq, 0)
    FROM dead_letters d, ` + cacheSeq + `
    WHERE ($1 = '' OR d.topic = $1) AND ($2 = '' OR d.class = $2) AND ($3 = '' OR d.key = $3)
      AND ($4::timestamptz IS NULL OR d.failed_at >= $4) AND ($5::timestamptz IS NULL OR d.failed_at < $5)
      AND ($6::integer IS NULL OR d.partition = $6) AND ($7::bigint IS NULL OR d."offset" = $7)
) l WHERE $8::text[] IS NULL OR state = ANY ($8) ORDER BY topic, partition, "offset"`

// DeadLetters returns the dead letters that f selects, by topic, partition and offset.
// It changes nothing.
func (r *Reader) DeadLetters(ctx context.Context, f DeadLetterFilter) ([]DeadLetterRow, error) {
	var partition *int32
	var offset *int64
	if f.At != nil {
		f.Topic, partition, offset = f.At.Topic, &f.At.Partition, &f.At.Offset
	}
	var dead []DeadLetterRow
	// Use a transaction for its options: for a hundred partitions the server would
	// compile the query for longer than it runs it.
	err := pgx.BeginTxFunc(ctx, r.pool, txOptions, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, selectDeadLetters, f.Topic, f.Class, f.Key, zeronull.Timestamptz(f.Since), zeronull.Timestamptz(f.Before), partition, offset, f.States)
		if err != nil {
			return err
		}
		dead, err = pgx.CollectRows(rows, scanDeadLetter)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return dead, nil
}

func scanDeadLetter(row pgx.CollectableRow) (l DeadLetterRow, err error) {
	var key *string
	err = row.Scan(&l.Topic, &l.Partition, &l.Offset, &key, &l.Class, &l.SQLState, &l.Error, &l.FailedAt, &l.Seq,
		&l.State, &l.ChangedAt, &l.CacheSeq)
	if key != nil {
		l.Key = *key
	}
	return l, err
}

// MarkSuperseded stores the state superseded for all open dead letters whose version, or a
// newer one, the cache holds, and returns their number. Dead letters whose record did not
// tell its seq stay open.
func (s *Store) MarkSuperseded(ctx context.Context) (int, error) {
	const query = `UPDATE dead_letters u SET state = 'superseded', changed_at = now()
FROM (SELECT d.topic, d.partition, d."offset", d.seq FROM dead_letters d, ` + cacheSeq + ` WHERE d.state = 'open' AND cached.seq >= d.seq) o
WHERE u.topic = o.topic AND u.partition = o.partition AND u."offset" = o."offset" AND u.seq = o.seq AND u.state = 'open'`
	n := 0
	err := s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		var m session.Message
		begin(&m, writerLock)
		m.Add(query).Count(&n)
		m.Add(`COMMIT`)
		return m.Run(ctx, conn.Conn())
	})
	if err != nil {
		return 0, fmt.Errorf("mark superseded dead letters: %w", err)
	}
	return n, nil
}

// SetDeadLetterState stores a dead letter's new state, and returns when. It returns false, and
// stores nothing, if the dead letter got another state in the meantime. An open dead letter can
// get any state; a superseded one can only be discarded.
func (s *Store) SetDeadLetterState(ctx context.Context, at TopicPartitionOffset, as DeadLetterState) (when time.Time, stored bool, err error) {
	const query = `UPDATE dead_letters SET state = $4, changed_at = now()
WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND (state = 'open' OR state = 'superseded' AND $4 = 'discarded') RETURNING changed_at`
	rows, err := s.pool.Query(ctx, query, pgx.QueryExecModeSimpleProtocol, at.Topic, at.Partition, at.Offset, string(as))
	if err != nil {
		return when, false, fmt.Errorf("set state of dead letter %s: %w", at, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		return when, false, fmt.Errorf("set state of dead letter %s: %w", at, err)
	}
	if len(found) == 0 {
		return when, false, nil
	}
	return found[0], true, nil
}

// FailAgain stores the class, the SQLSTATE and the error with which an open dead letter
// failed again; failed_at stays that of the first failure.
func (s *Store) FailAgain(ctx context.Context, l DeadLetter) error {
	const query = `UPDATE dead_letters SET class = $4, sqlstate = NULLIF($5, ''), error = $6, changed_at = now()
WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND state = 'open'`
	if _, err := s.pool.Exec(ctx, query, pgx.QueryExecModeSimpleProtocol, l.Topic, l.Partition, l.Offset, l.Class, l.SQLState, schema.StorableText(l.Error)); err != nil {
		return fmt.Errorf("store the new error of dead letter %s: %w", l.ID(), err)
	}
	return nil
}
