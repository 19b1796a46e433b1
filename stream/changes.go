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
	// changesAtOnce is how many records are taken from the client at a time: a
	// rebalance of the group waits until the loop is through them.
	changesAtOnce = 100
	// leaveWithin bounds the last commit, when the loop is left.
	leaveWithin = 5 * time.Second
	// readAgainTry keeps brokers that are away from being asked in a hot loop.
	readAgainTry = 2
)

// Subscription says which changes a program of yours reads. Config.Brokers,
// Config.TopicPrefix and Entities are required.
type Subscription struct {
	Config
	Entities []string // names as schema.Lookup takes them: "Sag", "Aktør", "aktoer"
	// Group is the consumer group that remembers in Kafka how far the program is,
	// and among whose members the partitions are spread. "": none; it begins anew
	// at each start.
	Group string
	// New begins with the changes to come where the group remembers nothing. False:
	// with everything that the topics hold, of each row at least its last change.
	New bool
	Log *slog.Logger // what the client has to say of brokers that are away; nil: nothing
}

// Changes gives the changes of the entities as they come, those of one row in their
// order, until ctx ends or the loop is left. Brokers must answer at the start; when
// they go away later it waits for them.
//
// With a Group each change is given at least once: it counts as read when the loop
// asks for the next one, and is remembered some seconds later or at the loop's end.
// The change in hand when the loop is left comes again. One that comes again has a
// Seq that is not above the one that was seen of its row.
//
// A delete is given once, although its topic has a tombstone behind it. An error is
// a *DecodeError of one record, whose place it names, and the loop may go on; with
// any other it ends: ErrNoTopic, an unknown entity, bad settings, or the context's.
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
	return &changeReader{cl: cl, group: sub.Group != "", log: log, deleted: map[string]bool{}}, nil
}

// topics are those of the entities, each of which must be there: a prefix that is
// spelled wrong would otherwise be waited for without a word.
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

// batch gives what one poll brought, and says whether the loop goes on.
func (r *changeReader) batch(ctx context.Context, yield func(schema.Change, error) bool) bool {
	if r.group {
		r.cl.AllowRebalance()
	}
	fetches := r.cl.PollRecords(ctx, changesAtOnce)
	if err := ctx.Err(); err != nil {
		yield(schema.Change{}, err)
		return false
	}
	if err := fetches.Err(); err != nil {
		r.log.WarnContext(ctx, "topics cannot be read, trying again", "err", err)
		_ = backoff(ctx, readAgainTry) // the next poll tells that ctx has ended
	}
	for iter := fetches.RecordIter(); !iter.Done(); {
		rec := iter.Next()
		change, told, err := r.read(rec)
		if told && !yield(change, err) {
			return false
		}
		if r.group {
			r.cl.MarkCommitRecords(rec)
		}
	}
	return true
}

// read decodes a record; not told: it is the tombstone of a delete that was given.
func (r *changeReader) read(rec *kgo.Record) (change schema.Change, told bool, err error) {
	m, err := Decode(rec)
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

// close remembers how far the group is, even if it is ctx that ended the loop.
func (r *changeReader) close(ctx context.Context) {
	if r.group {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
		defer cancel()
		if err := r.cl.CommitMarkedOffsets(late); err != nil {
			r.log.WarnContext(late, "what was read last may come again", "err", err)
		}
	}
	r.cl.CloseAllowingRebalance()
}
