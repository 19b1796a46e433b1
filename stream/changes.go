package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

const (
	// changesAtOnce is how many records one poll takes: a rebalance of the group waits
	// until the loop has seen them.
	changesAtOnce = 100
	// leaveWithin bounds the last commit, after the loop.
	leaveWithin = 5 * time.Second
	// readAgainTry is the backoff's try number while brokers are down.
	readAgainTry = 2
)

// Subscription says which changes a program of yours reads. Config.Brokers,
// Config.TopicPrefix and Entities are required.
type Subscription struct {
	Config
	Entities []string // names as schema.Lookup takes them: "Sag", "Aktør", "aktoer"
	// Group is the consumer group. Kafka stores its offsets, and its members share the
	// partitions. "": no group; the program reads from the beginning at each start.
	Group string
	// New says where to begin if the group has no offset. True: with the changes to
	// come. False: with everything on the topics, at least the last change of each row.
	New bool
	Log *slog.Logger // for the client's warnings, such as brokers that are down; nil: none
}

// Changes yields the changes of the entities as they arrive, those of one row in
// order, until ctx ends or the loop breaks. Brokers must answer at the start; if they
// go down later, Changes waits for them.
//
// With a Group each change is delivered at least once. A change counts as read when
// the loop asks for the next one, and its offset is committed some seconds later or
// after the loop. So the last change before a break comes again. A change that comes
// again has a Seq that is not above the last Seq of its row.
//
// A delete is yielded once, without the tombstone that follows it. A *DecodeError is
// of one record, which it names, or of a batch (*LargeBatchError), and the loop may
// continue. Any other error ends the
// loop: ErrNoTopic, an unknown entity, bad settings, or that of ctx.
func Changes(ctx context.Context, sub Subscription) iter.Seq2[schema.Change, error] {
	return func(yield func(schema.Change, error) bool) {
		r, err := sub.open(ctx)
		if err != nil {
			yield(schema.Change{}, err)
			return
		}
		defer r.close(ctx)
		for r.batch(ctx, yield) {
		}
	}
}

// changeReader is one loop over Changes.
type changeReader struct {
	cfg     Config
	cl      *kgo.Client
	group   bool
	log     *slog.Logger
	deleted map[string]bool // event ids of deletes whose tombstone is still to come
}

func (sub Subscription) open(ctx context.Context) (*changeReader, error) {
	log := sub.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	topics, err := sub.topics(ctx, log)
	if err != nil {
		return nil, err
	}
	begin := kgo.NewOffset().AtStart()
	if sub.New {
		begin = kgo.NewOffset().AtEnd()
	}
	opts := []kgo.Opt{kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(begin)}
	if sub.Group != "" {
		opts = append(opts, kgo.ConsumerGroup(sub.Group), kgo.AutoCommitMarks(), kgo.BlockRebalanceOnPoll())
	}
	cl, err := NewClient(sub.Config, log, opts...)
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	return &changeReader{cfg: sub.Config, cl: cl, group: sub.Group != "", log: log, deleted: map[string]bool{}}, nil
}

// topics are those of the entities. Each must exist: with a wrong prefix the loop
// would otherwise wait silently.
func (sub Subscription) topics(ctx context.Context, log *slog.Logger) ([]string, error) {
	if len(sub.Entities) == 0 {
		return nil, errors.New("read changes: no entity is named")
	}
	cl, err := NewClient(sub.Config, log)
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	defer cl.Close()
	all := NewTopics(cl, sub.Config, log)
	var topics []string
	for _, name := range sub.Entities {
		e, err := schema.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("read changes: %w", err)
		}
		if _, err := all.detail(ctx, sub.Topic(e.Name)); err != nil {
			return nil, fmt.Errorf("read changes of %s: %w", e.Name, err)
		}
		topics = append(topics, sub.Topic(e.Name))
	}
	return topics, nil
}

// batch yields the changes of one poll, and says whether the loop continues.
func (r *changeReader) batch(ctx context.Context, yield func(schema.Change, error) bool) bool {
	if r.group {
		r.cl.AllowRebalance()
	}
	fetches := r.cl.PollRecords(ctx, changesAtOnce)
	if err := ctx.Err(); err != nil {
		yield(schema.Change{}, err)
		return false
	}
	PassLargeBatches(r.cl, fetches)
	if err := fetches.Err(); err != nil {
		r.log.WarnContext(ctx, "topics cannot be read, retrying", "err", err)
		_ = backoff(ctx, readAgainTry) // the next poll reports that ctx has ended
	}
	for iter := fetches.RecordIter(); !iter.Done(); {
		rec := iter.Next()
		change, ok, err := r.read(rec)
		if ok && !yield(change, err) {
			return false
		}
		if r.group {
			r.cl.MarkCommitRecords(rec)
		}
	}
	return true
}

// read decodes a record; ok is false for the tombstone of a delete that was yielded.
func (r *changeReader) read(rec *kgo.Record) (change schema.Change, ok bool, err error) {
	m, err := r.cfg.Decode(rec)
	if err != nil {
		return schema.Change{}, true, fmt.Errorf("topic %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	event := m.Change.EventID()
	switch {
	case m.Tombstone && r.deleted[event]:
		delete(r.deleted, event)
		return schema.Change{}, false, nil
	case !m.Tombstone && m.Change.Action == schema.Delete:
		r.deleted[event] = true
	}
	return m.Change, true, nil
}

// close commits the group's offsets, also if ctx has ended.
func (r *changeReader) close(ctx context.Context) {
	if r.group {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
		defer cancel()
		if err := r.cl.CommitMarkedOffsets(late); err != nil {
			r.log.WarnContext(late, "offsets not committed: the last changes may come again", "err", err)
		}
	}
	r.cl.CloseAllowingRebalance()
}
