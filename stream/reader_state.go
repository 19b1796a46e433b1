package stream

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"odastream/schema"
)

// PartitionState is the state of one partition of a consumer.
type PartitionState struct {
	schema.TopicPartition
	Start   int64  // offset of the first record to read when it was assigned or sought
	Read    int64  // offset of the next record to hand out
	End     int64  // the topic's end when last read
	Trouble string // why it yields no records; "" if nothing is wrong
}

// State returns the owned partitions, sorted, and why the whole consumer yields no
// records: "" if nothing is wrong.
func (r *reader) State() (partitions []PartitionState, trouble string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for tp, p := range r.parts {
		partitions = append(partitions, PartitionState{TopicPartition: tp, Start: p.start, Read: p.at, End: max(p.end, p.at), Trouble: p.trouble})
	}
	slices.SortFunc(partitions, func(a, b PartitionState) int {
		if n := strings.Compare(a.Topic, b.Topic); n != 0 {
			return n
		}
		return int(a.Partition - b.Partition)
	})
	if r.unreachable != nil {
		return partitions, r.unreachable.Error()
	}
	return partitions, r.trouble
}

// RefreshEnds reads the ends of the owned topics for State: fetches update only those
// of partitions with new records. It also checks that the brokers answer, which a
// waiting fetch does not.
func (r *reader) RefreshEnds(ctx context.Context) error {
	err := Ping(ctx, r.cl, r.cfg)
	r.setUnreachable(err)
	if err != nil {
		return err
	}
	owned, _ := r.State()
	var all []schema.TopicPartition
	for _, p := range owned {
		all = append(all, p.TopicPartition)
	}
	topics := topicNames(all)
	if len(topics) == 0 {
		return nil
	}
	ends, err := r.adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("look up end offsets: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = ""
	for tp, p := range r.parts {
		if end, ok := ends.Lookup(tp.Topic, tp.Partition); ok && end.Err == nil {
			p.end = max(p.end, end.Offset)
		}
	}
	return nil
}

func (r *reader) setUnreachable(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unreachable = err
}
