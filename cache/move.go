package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
	"odastream/schema"
)

// ErrOffsetConflict is returned when a partition's stored offset is not the one that the
// writer expects: another sink has the partition now, or the database was restored.
// Nothing of the batch was written. Drop it and read Positions again.
var ErrOffsetConflict = errors.New("another writer changed the stored offset")

// Move is the compare-and-set of a partition's offset.
type Move struct {
	schema.TopicPartition
	TopicID [16]byte
	// From must equal the stored next offset, with the same TopicID. If no offset is
	// stored, From must be schema.NoOffset or 0.
	From int64
	To   int64 // the partition's new next offset
}

// Positions returns how far the group has applied each partition. It has no entry for
// a partition of which nothing was applied.
func (s *Store) Positions(ctx context.Context) (map[schema.TopicPartition]schema.Position, error) {
	rows, err := s.pool.Query(ctx, `SELECT topic, partition, topic_id, next_offset, updated_at FROM sink_offsets WHERE group_id = $1`, s.group)
	if err != nil {
		return nil, fmt.Errorf("read offsets of %s: %w", s.group, err)
	}
	positions := map[schema.TopicPartition]schema.Position{}
	var tp schema.TopicPartition
	var p schema.Position
	_, err = pgx.ForEachRow(rows, []any{&tp.Topic, &tp.Partition, &p.TopicID, &p.Next, &p.StoredAt}, func() error {
		positions[tp] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read offsets of %s: %w", s.group, err)
	}
	return positions, nil
}

// Reset sets a partition's offset without applying anything: for a topic that was
// recreated, and for an offset outside the topic. was is the position that Positions
// returned, or the zero value if it returned none; its StoredAt is ignored. If the
// stored position is another one now, Reset returns ErrOffsetConflict and changes
// nothing.
func (s *Store) Reset(ctx context.Context, tp schema.TopicPartition, was, now schema.Position) error {
	err := s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		var m session.Message
		begin(&m, writerLock)
		lockForWriting(&m, []int64{lockKey(tp)})
		s.addReset(&m, tp, was, now)
		m.Add(`COMMIT`)
		return m.Run(ctx, conn.Conn())
	})
	if err != nil {
		return fmt.Errorf("reset offset of %s/%d to %d: %w", tp.Topic, tp.Partition, now.Next, err)
	}
	return nil
}

func (s *Store) addReset(m *session.Message, tp schema.TopicPartition, was, now schema.Position) {
	const (
		insert = `INSERT INTO sink_offsets (group_id, topic, partition, topic_id, next_offset) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (group_id, topic, partition) DO NOTHING`
		update = `UPDATE sink_offsets SET topic_id = $4, next_offset = $5, updated_at = now()
WHERE group_id = $1 AND topic = $2 AND partition = $3 AND topic_id = $6 AND next_offset = $7`
		changed = `WITH changed AS (%s RETURNING 1) SELECT 1 / count(*) FROM changed`
	)
	query, args := insert, []any{s.group, tp.Topic, tp.Partition, hexID(now.TopicID), now.Next}
	if was.TopicID != [16]byte{} {
		query, args = update, append(args, hexID(was.TopicID), was.Next)
	}
	m.Add(fmt.Sprintf(changed, query), args...).Else(ErrOffsetConflict)
}

func hexID(id [16]byte) string { return hex.EncodeToString(id[:]) }

// The statement compares, because what was read before the lock may be old. It fails
// unless all of the $7 moves are made.
const moveOffsets = `WITH m AS (
    SELECT * FROM unnest($2::text[], $3::integer[], $4::uuid[], $5::bigint[], $6::bigint[]) AS m (topic, partition, topic_id, was, next)
), updated AS (
    UPDATE sink_offsets o SET next_offset = m.next, updated_at = now() FROM m
    WHERE o.group_id = $1 AND o.topic = m.topic AND o.partition = m.partition AND o.topic_id = m.topic_id AND o.next_offset = m.was
    RETURNING o.topic, o.partition
), inserted AS (
    INSERT INTO sink_offsets (group_id, topic, partition, topic_id, next_offset)
    SELECT $1, m.topic, m.partition, m.topic_id, m.next FROM m
    WHERE m.was <= 0 AND NOT EXISTS (SELECT FROM updated u WHERE u.topic = m.topic AND u.partition = m.partition)
    ON CONFLICT (group_id, topic, partition) DO NOTHING
    RETURNING topic, partition
)
SELECT 1 / (count(*) = $7)::integer FROM (SELECT FROM updated UNION ALL SELECT FROM inserted) AS moved`

func (s *Store) addMoves(m *session.Message, moves []Move) {
	if len(moves) == 0 {
		return
	}
	var topics, ids []string
	var partitions []int32
	var from, to []int64
	for _, m := range moves {
		topics, partitions, ids = append(topics, m.Topic), append(partitions, m.Partition), append(ids, hexID(m.TopicID))
		from, to = append(from, m.From), append(to, m.To)
	}
	m.Add(moveOffsets, s.group, topics, partitions, ids, from, to, len(moves)).Else(ErrOffsetConflict)
}

// conflictError returns err with the moves that do not fit the stored offsets.
func (s *Store) conflictError(ctx context.Context, moves []Move, err error) error {
	stored, failed := s.Positions(ctx)
	if failed != nil {
		return err
	}
	var lost []string
	for _, m := range moves {
		at, known := stored[m.TopicPartition]
		if known && (at.TopicID != m.TopicID || at.Next != m.From) || !known && m.From > 0 {
			lost = append(lost, fmt.Sprintf("%s/%d at %d", m.Topic, m.Partition, m.From))
		}
	}
	return fmt.Errorf("%s: %w", strings.Join(lost, ", "), err)
}

// lockForWriting takes the locks that every writer of a partition's rows holds until the
// commit, in their order. The expiry's comes last, in shared mode, because expiry removes
// rows of any partition: whoever waits for a partition, or for a change of the history's
// tables, does not keep the expiry waiting. The history's tables are waited for, and not
// kept: whoever waits for the expiry does not keep their changes waiting.
func lockForWriting(m *session.Message, keys []int64) {
	m.Add(lockPartitions, keys)
	m.Add(`SAVEPOINT waiting`)
	m.Add(lockHistory)
	m.Add(`ROLLBACK TO SAVEPOINT waiting`) // it gives back what was locked since
	m.Add(lockExpiryShared)
}

const (
	lockPartitions   = `SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k`
	lockHistory      = `LOCK TABLE ONLY parliamentary_history IN ROW EXCLUSIVE MODE`
	lockExpiryShared = `SELECT pg_advisory_xact_lock_shared(` + expiryLock + `)`
)

// lockKeys returns the locks of the batch's partitions in the order in which
// every writer takes them.
func (b *Batch) lockKeys() []int64 {
	seen := map[schema.TopicPartition]bool{}
	for _, m := range b.Moves {
		seen[m.TopicPartition] = true
	}
	var last schema.TopicPartition // records of a partition come in runs
	for i := range b.Records {
		if tp := b.Records[i].TopicPartition; tp != last {
			seen[tp], last = true, tp
		}
	}
	keys := make([]int64, 0, len(seen))
	for tp := range seen {
		keys = append(keys, lockKey(tp))
	}
	slices.Sort(keys)
	return keys
}

func lockKey(tp schema.TopicPartition) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "odastream apply %s/%d", tp.Topic, tp.Partition)
	return int64(h.Sum64())
}
