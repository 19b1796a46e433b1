package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// LargeBatchError says that a batch unpacks to more than a reader takes, so that none of
// its records was read. A *DecodeError with ClassTooLarge wraps it.
type LargeBatchError struct {
	Topic       string
	Partition   int32
	First, Next int64 // offsets: the batch's first, and the one after its last
}

// Error names the place of the batch.
func (e *LargeBatchError) Error() string {
	return fmt.Sprintf("batch of topic %s partition %d, offsets %d to %d, unpacks to more than %d MiB: none of its records was read",
		e.Topic, e.Partition, e.First, e.Next-1, maxUnpacked>>20)
}

// largeBatch is the key of a *LargeBatchError in a record's context.
type largeBatch struct{}

// standIn returns a record without key and value in place of a batch that is too large.
// Decode returns its LargeBatchError, so each reader treats it as a record that is no
// change. Invariant 5: the batch is named and counted, and what follows it is read.
func standIn(err *kgo.ErrDecompressTooLarge, at int64) *kgo.Record {
	large := &LargeBatchError{Topic: err.Topic, Partition: err.Partition, First: max(err.Offset, at), Next: err.NextOffset}
	return &kgo.Record{
		Topic: err.Topic, Partition: err.Partition, Offset: large.First, LeaderEpoch: err.Epoch,
		Context: context.WithValue(context.Background(), largeBatch{}, large),
	}
}

// largeBatchOf returns the batch that rec stands for, or nil.
func largeBatchOf(rec *kgo.Record) *LargeBatchError {
	if rec.Context == nil {
		return nil
	}
	large, _ := rec.Context.Value(largeBatch{}).(*LargeBatchError)
	return large
}

// offsetAfter returns the offset after rec, or after the batch that it stands for.
func offsetAfter(rec *kgo.Record) int64 {
	if large := largeBatchOf(rec); large != nil {
		return large.Next
	}
	return rec.Offset + 1
}

// PassLargeBatches puts a stand-in record in place of each batch of fetches that unpacks
// to more than a reader takes, and has cl, which has polled them, read on behind it.
// Decode gives a stand-in's *DecodeError. It also clears the errors of batches that only
// lack room in this fetch. For a group, call it before rebalances are allowed.
func PassLargeBatches(cl *kgo.Client, fetches kgo.Fetches) {
	behind := map[string]map[int32]kgo.EpochOffset{}
	for f := range fetches {
		for t := range fetches[f].Topics {
			topic := &fetches[f].Topics[t]
			for p := range topic.Partitions {
				part := &topic.Partitions[p]
				if errors.Is(part.Err, errFetchFull) {
					part.Err = nil
				}
				large, ok := errors.AsType[*kgo.ErrDecompressTooLarge](part.Err)
				if !ok {
					continue
				}
				part.Err, part.Records = nil, append(part.Records, standIn(large, 0))
				if behind[topic.Topic] == nil {
					behind[topic.Topic] = map[int32]kgo.EpochOffset{}
				}
				behind[topic.Topic][part.Partition] = kgo.EpochOffset{Epoch: -1, Offset: large.NextOffset}
			}
		}
	}
	if len(behind) > 0 {
		cl.SetOffsets(behind)
	}
}
