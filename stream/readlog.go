package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	fetchBytes   = 2 << 20 // of one fetch, compressed; unpacker limits what becomes of it; a larger batch still comes whole
	fetchMillis  = 100     // how long the broker may wait for the first byte
	emptyFetches = 2       // empty answers in a row that mean that nothing is left before the end
)

// ErrOutOfRange says that a topic does not hold the offset to read from: the topic was
// recreated or truncated, or the offset is of another cluster.
type ErrOutOfRange struct {
	Topic      string
	Partition  int32
	Offset     int64 // asked for
	Start, End int64 // what the topic holds: Start ≤ offset < End
}

// Error names the partition, the offset and the range that the topic holds.
func (e *ErrOutOfRange) Error() string {
	return fmt.Sprintf("offset %d of topic %s partition %d is outside of what it holds, %d to %d",
		e.Offset, e.Topic, e.Partition, e.Start, e.End)
}

// ReadLog reads the topic of an entity from the offsets of from (by partition) up to
// its ends at the time of the call. It calls fn with the records in batches, one
// partition after the other, each in order. Nil from, or an offset below 0, is the
// topic's start. It also reads records of open and aborted transactions (read
// uncommitted): this project writes none. In place of a batch that unpacks to too much
// fn gets one record, of which Decode says so.
//
// It returns the offsets to continue from, also with an error: fn has returned nil for
// all records before them. Errors to branch on: ErrNoTopic, ErrPartitionsChanged (from
// has another length than the topic), *ErrOutOfRange. An error of fn is returned
// wrapped. All others are the broker's and may be temporary.
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

// logReader reads one partition with its own fetch requests. A consumer cannot do
// that: compaction may leave no record at the end of a partition, and a consumer then
// never learns that it has reached the end.
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
		}, part, new(unpacker), nil)
		if large, ok := errors.AsType[*kgo.ErrDecompressTooLarge](got.Err); ok {
			got.Records, got.Err, next = []*kgo.Record{standIn(large, at)}, nil, large.NextOffset
		}
		if got.Err != nil {
			return at, got.Err
		}
		if next <= at {
			// A throttled answer is empty, too, and does not mean the end.
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

// before returns the records before the end.
func (r logReader) before(records []*kgo.Record) []*kgo.Record {
	n, _ := slices.BinarySearchFunc(records, r.end, func(rec *kgo.Record, end int64) int { return int(rec.Offset - end) })
	return records[:n]
}

func (r logReader) fetch(ctx context.Context, at int64) (part *kmsg.FetchResponseTopicPartition, throttled bool, err error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = fetchMillis, 1, fetchBytes
	req.SessionEpoch = -1 // no fetch session
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
