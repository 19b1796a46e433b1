package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// Misplaced reports whether a record of a topic with that many partitions lies on another
// one than its key's. Compaction would keep it for ever: the newer records of its key,
// deletes among them, come to the key's own partition.
func Misplaced(rec *kgo.Record, partitions int) bool {
	return rec.Partition != PartitionOf(string(rec.Key), partitions)
}

// Bury writes a tombstone behind each of the records of one topic, which are misplaced
// and have an entity's key, in the partition where the record lies. Compaction then
// removes both, and a reader deletes what it took from the record: the tombstone's seq is
// one above the record's, or 1 if that cannot be read or is too far ahead. Bury returns
// when all tombstones are acknowledged. After an error each may or may not be on the
// topic; to write them again does no harm.
func (p *Publisher) Bury(ctx context.Context, misplaced []*kgo.Record) error {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, ownPartition{}, true), PublishTimeout)
	defer cancel()
	tombstones, err := p.tombstones(misplaced)
	if err == nil {
		err = p.limits.load(ctx, topicsOf(tombstones))
	}
	if err == nil {
		_, err = p.send(ctx, tombstones)
	}
	if err != nil {
		p.metrics.failed.Inc()
		return fmt.Errorf("write tombstones behind %d misplaced records: %w", len(misplaced), err)
	}
	return nil
}

// tombstones returns one tombstone for each key in each partition.
func (p *Publisher) tombstones(misplaced []*kgo.Record) ([]*kgo.Record, error) {
	type spot struct {
		partition int32
		key       string
	}
	of := map[spot]schema.Change{}
	for _, rec := range misplaced {
		entity, id, err := schema.ParseKey(string(rec.Key))
		if err != nil {
			return nil, err
		}
		deleted := schema.Change{Entity: entity, ID: id, Action: schema.Delete, Seq: 1, Timestamp: time.Now()}
		if m, err := p.enc.cfg.Decode(rec); err == nil {
			deleted.Seq = m.Change.Seq + 1
		}
		at := spot{rec.Partition, string(rec.Key)}
		if of[at].Seq < deleted.Seq {
			of[at] = deleted
		}
	}
	out := make([]*kgo.Record, 0, len(of))
	for at, deleted := range of {
		tombstone := p.enc.records(deleted)[1]
		tombstone.Partition = at.partition
		out = append(out, tombstone)
	}
	return out, nil
}
