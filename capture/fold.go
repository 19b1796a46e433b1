package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/checkpoint"
	"odastream/schema"
	"odastream/stream"
)

// topics creates topics and reads them; *stream.Topics is one.
type topics interface {
	Ensure(ctx context.Context, entities []string) error
	State(ctx context.Context, entity string) (stream.TopicState, error)
	ReadLog(ctx context.Context, entity string, from []int64, fn func([]*kgo.Record) error) ([]int64, error)
}

// foldStore is the part of the store that the topic is folded into.
type foldStore interface {
	Load(ctx context.Context, entity string) (checkpoint.Checkpoint, error)
	Fold(ctx context.Context, lease checkpoint.Lease, p checkpoint.Progress) error
	ResetTopic(ctx context.Context, lease checkpoint.Lease) error
}

// burier removes records from a topic that compaction would not; *stream.Publisher is one.
type burier interface {
	Bury(ctx context.Context, misplaced []*kgo.Record) error
}

// folder brings the ledger of one entity up to the end of the entity's topic.
type folder struct {
	entity  string
	topics  topics
	store   foldStore
	burier  burier
	lease   *leaseKeeper
	seq     *seqClock
	metrics *metrics
	log     *slog.Logger
}

// fold reads the topic from where the ledger agrees with it to its end. It returns
// the positions after that, and the checkpoint. If the topic is not the one that
// the ledger was kept with, the ledger is reset first: everything is to be
// published again.
func (f *folder) fold(ctx context.Context, at checkpoint.Checkpoint) (*positions, checkpoint.Checkpoint, error) {
	state, err := f.topicState(ctx)
	if err != nil {
		return nil, at, err
	}
	if why := Mismatch(at.Positions, state); why != "" {
		f.log.Warn("topic is not the one the ledger knows: publishing the entity anew", "reason", why)
		if err := f.store.ResetTopic(ctx, f.lease.current()); err != nil {
			return nil, at, err
		}
		if at, err = f.store.Load(ctx, f.entity); err != nil {
			return nil, at, err
		}
	}
	if at.Partitions != 0 && at.Partitions != state.Partitions() {
		return nil, at, fmt.Errorf("topic of %s has %d partitions, its keys were spread over %d: "+
			"delete the topic, and it is recreated and filled: %w", f.entity, state.Partitions(), at.Partitions, stream.ErrPartitionsChanged)
	}
	if schema.SeqAhead(at.Seq, time.Now()) {
		return nil, at, fmt.Errorf("fold topic of %s: %w: it is %d", f.entity, errSeqAhead, at.Seq)
	}
	f.seq.raise(at.Seq)
	p, err := f.foldFrom(ctx, at.Positions, state)
	if err != nil {
		return nil, at, err
	}
	return p, at, f.store.Fold(ctx, f.lease.current(), checkpoint.Progress{Positions: p.all()})
}

// errTopicChanged ends a session. The next one resets the ledger.
var errTopicChanged = errors.New("topic is not the one the ledger knows any more")

// errSeqAhead stops the entity: sinks would refuse what is published above such a seq. It
// was forged before forged ones were refused, or this machine's clock is wrong.
var errSeqAhead = errors.New("highest seq is more than a day ahead of the clock: set the clock right, or see operations.md for a forged seq")

// refold folds the records that are on the topic after acked: another poller wrote
// them. It returns the positions after them.
func (f *folder) refold(ctx context.Context, acked *positions) (*positions, error) {
	state, err := f.topics.State(ctx, f.entity)
	if err != nil {
		return nil, err
	}
	at := acked.all()
	if why := Mismatch(at, state); why != "" {
		return nil, fmt.Errorf("fold topic of %s: %w: %s", f.entity, errTopicChanged, why)
	}
	return f.foldFrom(ctx, at, state)
}

// foldFrom folds what the topic has after the positions.
func (f *folder) foldFrom(ctx context.Context, at map[int32]schema.Position, state stream.TopicState) (*positions, error) {
	next, err := f.topics.ReadLog(ctx, f.entity, startOffsets(at, state), func(records []*kgo.Record) error {
		return f.foldRecords(ctx, state, records)
	})
	if err != nil {
		return nil, fmt.Errorf("fold topic of %s into the ledger: %w", f.entity, err)
	}
	return newPositions(state, next), nil
}

// topicState looks the topic up. It creates the topic if it was deleted since the
// poller started.
func (f *folder) topicState(ctx context.Context) (stream.TopicState, error) {
	state, err := f.topics.State(ctx, f.entity)
	if !errors.Is(err, stream.ErrNoTopic) {
		return state, err
	}
	if err := f.topics.Ensure(ctx, []string{f.entity}); err != nil {
		return state, err
	}
	return f.topics.State(ctx, f.entity)
}

// foldRecords stores all records in their order: an older record after a newer one
// makes the row Dirty, also if they are in different batches. A record that is no
// change of this entity, or whose seq is too far ahead, is left to the sink, which
// dead-letters it. It raises no seq. If its key is that of a known row, compaction may
// remove the row's right record, so the row becomes Dirty and is published again.
//
// A misplaced record is buried. Its row becomes Dirty, with the seq of the tombstone.
func (f *folder) foldRecords(ctx context.Context, topic stream.TopicState, records []*kgo.Record) error {
	p := checkpoint.Progress{Positions: map[int32]schema.Position{}, Entries: make([]checkpoint.Entry, 0, len(records))}
	var misplaced []*kgo.Record
	for _, rec := range records {
		p.Positions[rec.Partition] = schema.Position{TopicID: topic.ID, Next: rec.Offset + 1, Start: topic.Start[rec.Partition]}
		entry, err := f.entryOf(rec)
		ours := err == nil
		if !ours {
			entry, ours = f.hiddenBy(rec)
		}
		switch isMisplaced := ours && stream.Misplaced(rec, topic.Partitions()); {
		case isMisplaced && rec.Value == nil:
			continue // what another one was buried with
		case isMisplaced:
			f.log.Warn("record lies on another partition than its key's: burying it", "partition", rec.Partition, "offset", rec.Offset)
			misplaced = append(misplaced, rec)
			if err != nil {
				continue // its tombstone deletes nothing
			}
			entry = checkpoint.Entry{ID: entry.ID, Seq: entry.Seq + 1, State: checkpoint.Dirty}
		case err != nil:
			f.log.Warn("record on the entity's topic is not a change of the entity", "partition", rec.Partition, "offset", rec.Offset, "err", err)
			if !ours {
				continue
			}
		}
		f.seq.raise(entry.Seq)
		p.Entries = append(p.Entries, entry)
	}
	f.metrics.folded.Add(float64(len(records)))
	if err := f.bury(ctx, misplaced); err != nil {
		return err
	}
	return f.store.Fold(ctx, f.lease.current(), p)
}

// bury removes misplaced records from the topic: a consumer that came when the delete of
// such a row is compacted away would have the row for ever.
func (f *folder) bury(ctx context.Context, misplaced []*kgo.Record) error {
	if len(misplaced) == 0 {
		return nil
	}
	if err := f.lease.ensure(ctx); err != nil {
		return err
	}
	return f.burier.Bury(ctx, misplaced)
}

// entryOf returns what the ledger has to hold of a row after rec. It refuses a record of
// another entity: its id is not that of a row of this one.
func (f *folder) entryOf(rec *kgo.Record) (checkpoint.Entry, error) {
	message, err := stream.Decode(rec)
	if err != nil {
		return checkpoint.Entry{}, err
	}
	c := message.Change
	switch {
	case c.Entity != f.entity:
		return checkpoint.Entry{}, fmt.Errorf("record is of entity %q", c.Entity)
	case stream.SeqAhead(rec, c.Seq):
		return checkpoint.Entry{}, fmt.Errorf("seq %d is more than %s ahead of the clock", c.Seq, schema.MaxAhead)
	}
	entry := checkpoint.Entry{ID: c.ID, Seq: c.Seq, State: checkpoint.Deleted}
	if c.Action == schema.Delete {
		return entry, nil
	}
	entry.State, entry.Stamp, entry.Checksum = checkpoint.Live, c.Opdateringsdato, schema.ChecksumOf(c.Data)
	entry.Hash, entry.Fields, err = schema.Fingerprint(c.Data)
	return entry, err
}

// hiddenBy returns the entry of the row whose record a refused one hides.
func (f *folder) hiddenBy(rec *kgo.Record) (entry checkpoint.Entry, ok bool) {
	entity, id, err := schema.ParseKey(string(rec.Key))
	return checkpoint.Entry{ID: id, State: checkpoint.Dirty}, err == nil && entity == f.entity
}

// Mismatch says why a topic in this state cannot be the one that the positions of the
// ledger belong to, or has lost records: the poller publishes its entity anew. It returns
// "" if it can, or if there are no positions.
func Mismatch(at map[int32]schema.Position, state stream.TopicState) string {
	for partition, known := range at {
		switch {
		case int(partition) >= state.Partitions():
			return "it has fewer partitions"
		case known.TopicID != state.ID:
			return "it was recreated"
		case known.Next > state.End[partition]:
			return fmt.Sprintf("partition %d ends at %d, before %d", partition, state.End[partition], known.Next)
		case known.Start < state.Start[partition]: // compaction moves no start
			return fmt.Sprintf("partition %d starts at %d, and started at %d before", partition, state.Start[partition], known.Start)
		}
	}
	return ""
}

// startOffsets returns the offset of each partition to read from: NoOffset, which is
// the start, for one without a position.
func startOffsets(at map[int32]schema.Position, state stream.TopicState) []int64 {
	from := make([]int64, state.Partitions())
	for partition := range from {
		from[partition] = schema.NoOffset
		if known, ok := at[int32(partition)]; ok {
			from[partition] = known.Next
		}
	}
	return from
}
