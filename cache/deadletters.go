package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"odastream/schema"
)

// LetterState is what became of a dead letter.
type LetterState string

// The states of the contract.
const (
	LetterOpen       LetterState = "open"       // nobody has done anything about it
	LetterSuperseded LetterState = "superseded" // the cache holds that version of its key, or a newer one
	LetterRetried    LetterState = "retried"    // applied after all
	LetterDiscarded  LetterState = "discarded"  // a person gave it up
)

// Letter is a row of dead_letters.
type Letter struct {
	DeadLetter
	// State is superseded also for a letter that is still stored as open, if CacheSeq
	// is not below its Seq: see MarkSuperseded.
	State     LetterState
	ChangedAt time.Time // of its state, or of its last failure
	CacheSeq  int64     // seq that the cache holds of its key, deleted or not; 0: none
}

// Tells says whether a record with this key may be the letter's own: a topic that
// was made anew has other records at the same offsets.
func (l Letter) Tells(key []byte) bool { return storable(string(key)) == l.Key }

// LetterFilter selects dead letters; what is empty or zero selects all.
type LetterFilter struct {
	Topic  string // of the record, not of its dead letter
	Class  string
	Key    string
	Since  time.Time // failed at this moment or later
	Before time.Time // failed earlier
	States []LetterState
	// At selects the letter of one record.
	At *TopicPartitionOffset
}

// TopicPartitionOffset names a record of Kafka; it is what identifies a dead letter.
type TopicPartitionOffset struct {
	schema.TopicPartition
	Offset int64
}

// String is TOPIC/PARTITION@OFFSET.
func (r TopicPartitionOffset) String() string {
	return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset)
}

// Where is the letter's record.
func (d DeadLetter) Where() TopicPartitionOffset {
	return TopicPartitionOffset{d.TopicPartition, d.Offset}
}

// cacheSeq gives of a dead letter d the seq that the cache holds of its key. A key
// that is none, or has an id beyond bigint, has no row.
const cacheSeq = `LATERAL (SELECT CASE WHEN d.key ~ '^.+:-?[0-9]{1,18}$' THEN substring(d.key FROM '^(.+):') END AS entity,
    CASE WHEN d.key ~ '^.+:-?[0-9]{1,18}$' THEN substring(d.key FROM '[^:]+$')::bigint END AS id) k,
LATERAL (SELECT GREATEST(
    (SELECT p.seq FROM parliamentary_data p WHERE p.entity_type = k.entity AND p.entity_id = k.id),
    (SELECT x.seq FROM parliamentary_deleted x WHERE x.entity_type = k.entity AND x.entity_id = k.id)) AS seq) cached`

const selectLetters = `SELECT * FROM (
    SELECT d.topic, d.partition, d."offset", d.key, d.class, COALESCE(d.sqlstate, ''), d.error, d.failed_at, COALESCE(d.seq, 0),
        CASE WHEN d.state = 'open' AND cached.seq >= d.seq THEN 'superseded' ELSE d.state END AS state, d.changed_at, COALESCE(cached.seq, 0)
    FROM dead_letters d, ` + cacheSeq + `
    WHERE ($1 = '' OR d.topic = $1) AND ($2 = '' OR d.class = $2) AND ($3 = '' OR d.key = $3)
      AND ($4::timestamptz IS NULL OR d.failed_at >= $4) AND ($5::timestamptz IS NULL OR d.failed_at < $5)
      AND ($6::integer IS NULL OR d.partition = $6) AND ($7::bigint IS NULL OR d."offset" = $7)
) l WHERE $8::text[] IS NULL OR state = ANY ($8) ORDER BY topic, partition, "offset"`

// Letters returns the dead letters that f selects, by topic, partition and offset.
// It changes nothing.
func (r *Reader) Letters(ctx context.Context, f LetterFilter) ([]Letter, error) {
	var partition *int32
	var offset *int64
	if f.At != nil {
		f.Topic, partition, offset = f.At.Topic, &f.At.Partition, &f.At.Offset
	}
	var letters []Letter
	// In a transaction for its options: with a hundred partitions to look into, the
	// server would compile for longer than it runs.
	err := pgx.BeginTxFunc(ctx, r.pool, txOptions, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, selectLetters, f.Topic, f.Class, f.Key, zeronull.Timestamptz(f.Since), zeronull.Timestamptz(f.Before), partition, offset, f.States)
		if err != nil {
			return err
		}
		letters, err = pgx.CollectRows(rows, scanLetter)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return letters, nil
}

func scanLetter(row pgx.CollectableRow) (l Letter, err error) {
	var key *string
	err = row.Scan(&l.Topic, &l.Partition, &l.Offset, &key, &l.Class, &l.SQLState, &l.Error, &l.FailedAt, &l.Seq,
		&l.State, &l.ChangedAt, &l.CacheSeq)
	if key != nil {
		l.Key = *key
	}
	return l, err
}

// MarkSuperseded stores the state superseded of all open letters of which the
// cache holds that version or a newer one, and returns how many they are. Letters
// whose record did not tell its seq stay open.
func (s *Store) MarkSuperseded(ctx context.Context) (int, error) {
	const query = `UPDATE dead_letters u SET state = 'superseded', changed_at = now()
FROM (SELECT d.topic, d.partition, d."offset", d.seq FROM dead_letters d, ` + cacheSeq + ` WHERE d.state = 'open' AND cached.seq >= d.seq) o
WHERE u.topic = o.topic AND u.partition = o.partition AND u."offset" = o."offset" AND u.seq = o.seq AND u.state = 'open'`
	var n int64
	err := pgx.BeginTxFunc(ctx, s.pool, txOptions, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, query)
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("mark superseded dead letters: %w", err)
	}
	return int(n), nil
}

// SetLetterState stores what became of a letter, and returns when. It returns false, and
// stores nothing, if the letter got another state in the meantime: only an open
// one can be, or a superseded one be discarded.
func (s *Store) SetLetterState(ctx context.Context, at TopicPartitionOffset, as LetterState) (when time.Time, stored bool, err error) {
	const query = `UPDATE dead_letters SET state = $4, changed_at = now()
WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND (state = 'open' OR state = 'superseded' AND $4 = 'discarded') RETURNING changed_at`
	rows, err := s.pool.Query(ctx, query, at.Topic, at.Partition, at.Offset, as)
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

// FailAgain stores the class, the SQLSTATE and the error with which an open letter
// failed once more; failed_at stays that of the first time.
func (s *Store) FailAgain(ctx context.Context, l DeadLetter) error {
	const query = `UPDATE dead_letters SET class = $4, sqlstate = NULLIF($5, ''), error = $6, changed_at = now()
WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND state = 'open'`
	if _, err := s.pool.Exec(ctx, query, l.Topic, l.Partition, l.Offset, l.Class, l.SQLState, storable(l.Error)); err != nil {
		return fmt.Errorf("store the new error of dead letter %s: %w", l.Where(), err)
	}
	return nil
}
