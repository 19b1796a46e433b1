package capture

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// repairBatch is how many rows that must be published again are looked up at once.
const repairBatch = 1000

// fold brings the ledger up to the end of the entity's topic (invariant 8) and
// returns how far that is. Where the topic is not the one that the ledger knows,
// the ledger is forgotten first: everything is to be published anew.
func (s *session) fold(ctx context.Context, at checkpoint.Checkpoint) (*positions, checkpoint.Checkpoint, error) {
	state, err := s.topicState(ctx)
	if err != nil {
		return nil, at, err
	}
	if why := foreign(at, state); why != "" {
		s.log.Warn("topic is not the one the ledger knows: publishing the entity anew", "reason", why)
		if err := s.store.Forget(ctx, s.lease.current()); err != nil {
			return nil, at, err
		}
		if at, err = s.store.Load(ctx, s.entity); err != nil {
			return nil, at, err
		}
	}
	if at.Partitions != 0 && at.Partitions != state.Partitions() {
		return nil, at, fmt.Errorf("topic of %s has %d partitions, its keys were spread over %d: "+
			"delete the topic, and it is made anew and filled: %w", s.entity, state.Partitions(), at.Partitions, stream.ErrPartitionsChanged)
	}
	s.ticks.raise(at.Seq)
	p, err := s.foldFrom(ctx, at, state)
	if err != nil {
		return nil, at, err
	}
	return p, at, s.store.Fold(ctx, s.lease.current(), checkpoint.Progress{Positions: p.all()})
}

// foldFrom folds what the topic holds behind the positions of at.
func (s *session) foldFrom(ctx context.Context, at checkpoint.Checkpoint, state stream.TopicState) (*positions, error) {
	next, err := s.topics.ReadLog(ctx, s.entity, startOffsets(at, state), func(records []*kgo.Record) error {
		return s.foldRecords(ctx, state.ID, records)
	})
	if err != nil {
		return nil, fmt.Errorf("fold topic of %s into the ledger: %w", s.entity, err)
	}
	return newPositions(state.ID, next), nil
}

// topicState looks the topic up, and makes it anew if it was deleted since the
// poller began.
func (s *session) topicState(ctx context.Context) (stream.TopicState, error) {
	state, err := s.topics.State(ctx, s.entity)
	if !errors.Is(err, stream.ErrNoTopic) {
		return state, err
	}
	if err := s.topics.Ensure(ctx, []string{s.entity}); err != nil {
		return state, err
	}
	return s.topics.State(ctx, s.entity)
}

// errTopicChanged ends a session: the next one begins with a topic that the ledger
// does not know.
var errTopicChanged = errors.New("topic is not the one the ledger knows any more")

// refoldTopic brings the ledger up to the topic's end in the midst of a session:
// somebody else's record there is a zombie's.
func (w *writer) refoldTopic(ctx context.Context) error {
	if err := w.sender.settled(ctx); err != nil {
		return err
	}
	state, err := w.topics.State(ctx, w.entity)
	if err != nil {
		return err
	}
	at := checkpoint.Checkpoint{Positions: w.sender.acked.all()}
	if why := foreign(at, state); why != "" {
		return fmt.Errorf("fold topic of %s: %w: %s", w.entity, errTopicChanged, why)
	}
	acked, err := w.foldFrom(ctx, at, state)
	if err != nil {
		return err
	}
	w.sender.acked = acked
	return nil
}

// foreign says why the topic cannot be the one that the ledger was kept with, ""
// if it is or if nothing is known yet.
func foreign(at checkpoint.Checkpoint, state stream.TopicState) string {
	for partition, known := range at.Positions {
		switch {
		case int(partition) >= state.Partitions():
			return "it has fewer partitions"
		case known.TopicID != state.ID:
			return "it was made anew"
		case known.Next > state.End[partition]:
			return fmt.Sprintf("partition %d ends at %d, before %d", partition, state.End[partition], known.Next)
		case known.Next < state.Start[partition]:
			return fmt.Sprintf("partition %d starts at %d, behind %d", partition, state.Start[partition], known.Next)
		}
	}
	return ""
}

// startOffsets are the positions, and the topic's start where there is none.
func startOffsets(at checkpoint.Checkpoint, state stream.TopicState) []int64 {
	from := make([]int64, state.Partitions())
	for partition := range from {
		from[partition] = schema.NoOffset
		if known, ok := at.Positions[int32(partition)]; ok {
			from[partition] = known.Next
		}
	}
	return from
}

// foldRecords stores every record in its order: an older one behind a newer one
// makes the row dirty, wherever a batch ends. What is no change stays on the topic
// for the sink to dead-letter; the ledger knows nothing of it.
func (s *session) foldRecords(ctx context.Context, topicID [16]byte, records []*kgo.Record) error {
	p := checkpoint.Progress{Positions: map[int32]schema.Position{}, Entries: make([]checkpoint.Entry, 0, len(records))}
	for _, rec := range records {
		p.Positions[rec.Partition] = schema.Position{TopicID: topicID, Next: rec.Offset + 1}
		entry, err := entryOf(rec)
		if err != nil {
			s.log.Warn("record on the entity's topic is no change of ours", "partition", rec.Partition, "offset", rec.Offset, "error", err)
			continue
		}
		s.ticks.raise(entry.Seq)
		p.Entries = append(p.Entries, entry)
	}
	s.metrics.folded.Add(float64(len(records)))
	return s.store.Fold(ctx, s.lease.current(), p)
}

func entryOf(rec *kgo.Record) (checkpoint.Entry, error) {
	message, err := stream.Decode(rec)
	if err != nil {
		return checkpoint.Entry{}, err
	}
	c := message.Change
	entry := checkpoint.Entry{ID: c.ID, Seq: c.Seq, State: checkpoint.Deleted}
	if c.Action == schema.Delete {
		return entry, nil
	}
	entry.State, entry.Stamp, entry.Spelling = checkpoint.Live, c.Opdateringsdato, schema.SpellingOf(c.Data)
	entry.Hash, entry.Fields, err = schema.Fingerprint(c.Data)
	return entry, err
}

// repair reads the rows again whose last record on the topic is a former
// holder's, and has the right version published (invariant 4).
func (s *session) repair(ctx context.Context) error {
	after := int64(-1 << 62)
	for {
		ids, err := s.store.DirtyIDs(ctx, s.entity, after, repairBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		s.log.Warn("publishing again what a former holder of the lease overtook", "rows", len(ids))
		for _, id := range ids {
			r, err := s.read(ctx, oda.Window{IDs: schema.OneID(id)}, oda.Tail, schema.OriginScan)
			if errors.Is(err, oda.ErrNotFound) {
				return nil // the entity is absent at the source: nothing to say about its rows
			}
			if err != nil {
				return err
			}
			if err := s.submit(ctx, r); err != nil {
				return err
			}
		}
		after = ids[len(ids)-1]
	}
}
