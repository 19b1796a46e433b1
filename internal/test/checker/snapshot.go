package checker

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Row is a row of parliamentary_data.
type Row struct {
	Seq  int64
	Data string // as jsonb writes it
}

// Entry is a row of parliamentary_history.
type Entry struct {
	Key
	Seq    int64
	Action string
}

// Snapshot is the content of the tables at one moment.
type Snapshot struct {
	Offsets     map[Partition]int64
	Rows        map[Key]Row
	Deleted     map[Key]int64 // the seq of each
	History     []Entry
	DeadLetters map[Place]bool
}

// Applied returns the total number of offsets that the sinks have passed.
func (l Snapshot) Applied() (sum int64) {
	for _, offset := range l.Offsets {
		sum += offset
	}
	return sum
}

// Scope is the part of a database that one history of a test writes, so that many can
// share the database.
type Scope struct {
	Group string // whose offsets
	// FirstID and LastID bound the ids of its rows.
	FirstID, LastID int64
	// TopicPrefix begins the names of its topics.
	TopicPrefix string
}

// TakeSnapshot reads the tables as of one moment, in one read-only transaction.
func TakeSnapshot(ctx context.Context, pool *pgxpool.Pool, s Scope) (Snapshot, error) {
	snapshot := Snapshot{Offsets: map[Partition]int64{}, Rows: map[Key]Row{}, Deleted: map[Key]int64{}, DeadLetters: map[Place]bool{}}
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		snapshot.queue(b, s)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return Snapshot{}, fmt.Errorf("read the tables of %s: %w", s.Group, err)
	}
	return snapshot, nil
}

func (l *Snapshot) queue(b *pgx.Batch, s Scope) {
	var p Place
	b.Queue(`SELECT topic, partition, next_offset FROM sink_offsets WHERE group_id = $1`, s.Group).Query(func(rows pgx.Rows) error {
		return each(rows, []any{&p.Topic, &p.Number, &p.Offset}, func() { l.Offsets[p.Partition] = p.Offset })
	})
	var k Key
	var r Row
	b.Queue(`SELECT entity_type, entity_id, seq, data::text FROM parliamentary_data WHERE entity_id BETWEEN $1 AND $2`,
		s.FirstID, s.LastID).Query(func(rows pgx.Rows) error {
		return each(rows, []any{&k.Entity, &k.ID, &r.Seq, &r.Data}, func() { l.Rows[k] = r })
	})
	b.Queue(`SELECT entity_type, entity_id, seq FROM parliamentary_deleted WHERE entity_id BETWEEN $1 AND $2`,
		s.FirstID, s.LastID).Query(func(rows pgx.Rows) error {
		return each(rows, []any{&k.Entity, &k.ID, &r.Seq}, func() { l.Deleted[k] = r.Seq })
	})
	var e Entry
	b.Queue(`SELECT entity_type, entity_id, seq, action FROM parliamentary_history WHERE entity_id BETWEEN $1 AND $2`,
		s.FirstID, s.LastID).Query(func(rows pgx.Rows) error {
		return each(rows, []any{&e.Entity, &e.ID, &e.Seq, &e.Action}, func() { l.History = append(l.History, e) })
	})
	b.Queue(`SELECT topic, partition, "offset" FROM dead_letters WHERE starts_with(topic, $1)`, s.TopicPrefix).Query(func(rows pgx.Rows) error {
		return each(rows, []any{&p.Topic, &p.Number, &p.Offset}, func() { l.DeadLetters[p] = true })
	})
}

func each(rows pgx.Rows, into []any, keep func()) error {
	_, err := pgx.ForEachRow(rows, into, func() error { keep(); return nil })
	return err
}
