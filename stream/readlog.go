package stream

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	fetchBytes   = 2 << 20 // asked for at a time, compressed: in memory it is up to some tens as much; a single larger batch still comes whole
	fetchMillis  = 100     // how long the broker may wait for a first byte
	emptyFetches = 2       // so many empty answers in a row: nothing is left before the end
)

// ErrOutOfRange tells that a topic does not hold the offset from which it was
// to be read: it was made anew, cut off, or the offset is of another cluster.
type ErrOutOfRange struct {
	Topic      string
	Partition  int32
	Offset     int64 // asked for
	Start, End int64 // what the topic holds: Start ≤ offset < End
}

// Error names the partition, the offset and what is there instead.
func (e *ErrOutOfRange) Error() string {
	return fmt.Sprintf("offset %d of topic %s partition %d is outside of what it holds, %d to %d",
		e.Offset, e.Topic, e.Partition, e.Start, e.End)
}

// ReadLog reads the topic of an entity from the offsets of from (by partition)
// up to the ends as they stood at the call, and gives the records to fn in
// batches, one partition after the other, each in its order. Nil from, or an
// offset below 0, is the topic's start. Records of open and aborted transactions
// are read as well (read uncommitted): the project writes none.
//
// It returns the offsets to go on from, also with an error: what lies before
// them was given to fn, and fn returned nil. Errors to branch on: ErrNoTopic,
// ErrPartitionsChanged (from has another length than the topic), *ErrOutOfRange;
// an error of fn is returned wrapped; all others are the broker's and may pass.
func (t *Topics) ReadLog(ctx context.Context, entity string, from []int64, fn func([]*kgo.Record) error) (next []int64, err error) {
	return t.readTopic(ctx, t.cfg.Topic(entity), from, fn)
}

// readTopic is ReadLog of a topic by its name.
func (t *Topics) readTopic(ctx context.Context, topic string, from []int64, fn func([]*kgo.Record) error) (next []int64, err error) {
	state, leaders, err := t.state(ctx, topic)
	if err != nil {
		return from, err
	}
	next, err = startingPoints(topic, state, from)
	if err != nil {
		return from, err
	}
	for p := range next {
		r := logReader{cl: t.cl, topic: topic, id: state.ID, partition: int32(p), leader: leaders[p], end: state.End[p]}
		if next[p], err = r.read(ctx, next[p], fn); err != nil {
			return next, fmt.Errorf("read topic %s partition %d: %w", topic, p, err)
		}
	}
	return next, nil
}

// startingPoints checks from against what the topic holds.
func startingPoints(topic string, s TopicState, from []int64) ([]int64, error) {
	if from == nil {
		return slices.Clone(s.Start), nil
	}
	if len(from) != s.Partitions() {
		return nil, fmt.Errorf("topic %s has %d partitions, had %d: %w", topic, s.Partitions(), len(from), ErrPartitionsChanged)
	}
	next := slices.Clone(from)
	for p, at := range next {
		switch {
		case at < 0:
			next[p] = s.Start[p]
		case at < s.Start[p] || at > s.End[p]:
			return nil, &ErrOutOfRange{Topic: topic, Partition: int32(p), Offset: at, Start: s.Start[p], End: s.End[p]}
		}
	}
	return next, nil
}

// logReader reads one partition by fetch requests of its own. A consumer would
// not do: compaction may leave nothing at the end of a partition, and a consumer
// then waits for ever for a record that tells it so.
type logReader struct {
	cl        *kgo.Client
	topic     string
	id        [16]byte
	partition int32
	leader    int32
	end       int64
}

func (r logReader) read(ctx context.Context, at int64, fn func([]*kgo.Record) error) (int64, error) {
	for empty := 0; at < r.end; {
		part, throttled, err := r.fetch(ctx, at)
		if err != nil {
			return at, err
		}
		got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: at, Topic: r.topic, Partition: r.partition,
		}, part, kgo.DefaultDecompressor(), nil)
		if got.Err != nil {
			return at, got.Err
		}
		if next <= at {
			// A throttled answer is empty as well, and says nothing of the topic.
			if empty++; throttled {
				empty = 0
			}
			if empty >= emptyFetches && part.HighWatermark >= r.end {
				return r.end, nil
			}
			continue
		}
		empty = 0
		if records := r.before(got.Records); len(records) > 0 {
			if err := fn(records); err != nil {
				return at, err
			}
		}
		at = min(next, r.end)
	}
	return at, nil
}

// before leaves out what was written after the call.
func (r logReader) before(records []*kgo.Record) []*kgo.Record {
	n, _ := slices.BinarySearchFunc(records, r.end, func(rec *kgo.Record, end int64) int { return int(rec.Offset - end) })
	return records[:n]
}

func (r logReader) fetch(ctx context.Context, at int64) (part *kmsg.FetchResponseTopicPartition, throttled bool, err error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = fetchMillis, 1, fetchBytes
	req.SessionEpoch = -1 // no fetch session: each request stands for itself
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = r.topic, r.id
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = r.partition, at, fetchBytes
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)

	raw, err := r.cl.Broker(int(r.leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, false, fmt.Errorf("fetch from offset %d: %w", at, err)
	}
	resp := raw.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, false, fmt.Errorf("fetch from offset %d: %w", at, err)
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, false, fmt.Errorf("fetch from offset %d: broker answered for %d topics", at, len(resp.Topics))
	}
	return &resp.Topics[0].Partitions[0], resp.ThrottleMillis > 0, nil
}
