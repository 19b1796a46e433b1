package cache

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

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
	err := pgx.BeginTxFunc(ctx, s.pool, txOptions, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockPartitions, []int64{lockKey(tp)}); err != nil {
			return err
		}
		return s.reset(ctx, tx, tp, was, now)
	})
	if err != nil {
		return fmt.Errorf("reset offset of %s/%d to %d: %w", tp.Topic, tp.Partition, now.Next, err)
	}
	return nil
}

func (s *Store) reset(ctx context.Context, tx pgx.Tx, tp schema.TopicPartition, was, now schema.Position) error {
	const (
		insert = `INSERT INTO sink_offsets (group_id, topic, partition, topic_id, next_offset) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (group_id, topic, partition) DO NOTHING`
		update = `UPDATE sink_offsets SET topic_id = $4, next_offset = $5, updated_at = now()
WHERE group_id = $1 AND topic = $2 AND partition = $3 AND topic_id = $6 AND next_offset = $7`
	)
	query, args := insert, []any{s.group, tp.Topic, tp.Partition, now.TopicID, now.Next}
	if was.TopicID != [16]byte{} {
		query, args = update, append(args, was.TopicID, was.Next)
	}
	tag, err := tx.Exec(ctx, query, args...)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrOffsetConflict
	}
	return err
}

// The statement compares, because what was read before the lock may be old.
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
SELECT topic, partition FROM updated UNION ALL SELECT topic, partition FROM inserted`

// queueMoves adds the moves to b. Once b has run, lost has the refused ones by name.
func (s *Store) queueMoves(b *pgx.Batch, moves []Move, lost *[]string) {
	if len(moves) == 0 {
		return
	}
	var topics []string
	var partitions []int32
	var ids [][16]byte
	var from, to []int64
	for _, m := range moves {
		topics, partitions, ids = append(topics, m.Topic), append(partitions, m.Partition), append(ids, m.TopicID)
		from, to = append(from, m.From), append(to, m.To)
	}
	b.Queue(moveOffsets, s.group, topics, partitions, ids, from, to).Query(func(rows pgx.Rows) error {
		moved, err := pgx.CollectRows(rows, pgx.RowToStructByPos[schema.TopicPartition])
		for _, m := range moves {
			if !slices.Contains(moved, m.TopicPartition) {
				*lost = append(*lost, fmt.Sprintf("%s/%d at %d", m.Topic, m.Partition, m.From))
			}
		}
		return err
	})
}

func conflictError(lost []string) error {
	if len(lost) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", strings.Join(lost, ", "), ErrOffsetConflict)
}

// Every writer of a partition's rows holds its lock until the commit. It also holds the
// expiry lock in shared mode, because expiry removes rows of any partition.
const lockPartitions = `SELECT pg_advisory_xact_lock_shared(` + expiryLock + `)
UNION ALL SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k`

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
