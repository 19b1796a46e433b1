package stream

import (
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrPartitionsChanged is returned by Publish and ReadLog if a topic's number of
// partitions changed after keys were written to it. A delete in another partition than
// its row would resurrect the row, so the entity must stop until its topic is
// recreated.
var ErrPartitionsChanged = errors.New("number of partitions changed")

// partitions is the partitioner of all Kafka clients (murmur2 of the key). It also
// refuses a topic whose number of partitions changes, and lets Bury choose.
type partitions struct {
	inner kgo.Partitioner

	mu      sync.Mutex
	want    map[string]int // by topic
	changed map[string]int // what was seen instead
}

func newPartitions() *partitions {
	return &partitions{
		inner: kgo.StickyKeyPartitioner(nil), want: map[string]int{}, changed: map[string]int{},
	}
}

// ForTopic implements kgo.Partitioner.
func (p *partitions) ForTopic(topic string) kgo.TopicPartitioner {
	return &topicPartitions{TopicPartitioner: p.inner.ForTopic(topic), all: p, topic: topic}
}

// expect sets the number of partitions that the topic must have.
func (p *partitions) expect(topic string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.want[topic] = n
	delete(p.changed, topic)
}

// check stores the first number seen of a topic and says whether n equals it.
func (p *partitions) check(topic string, n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	want, ok := p.want[topic]
	if !ok {
		p.want[topic] = n
		return true
	}
	if want != n {
		p.changed[topic] = n
	}
	return want == n
}

// err returns an error if the topic was refused.
func (p *partitions) err(topic string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n, ok := p.changed[topic]; ok {
		return fmt.Errorf("topic %s has %d partitions, had %d: %w", topic, n, p.want[topic], ErrPartitionsChanged)
	}
	return nil
}

// PartitionOf returns the partition of a key's records in a topic with the given number
// of partitions (1 or more), as Publish and all Kafka clients choose it.
func PartitionOf(key string, partitions int) int32 {
	return int32(byKey().Partition(&kgo.Record{Key: []byte(key)}, partitions))
}

// byKey is the partitioner of records with a key: it keeps no state for them.
var byKey = sync.OnceValue(func() kgo.TopicPartitioner { return kgo.StickyKeyPartitioner(nil).ForTopic("") })

// ownPartition marks the context of a record that goes to its Partition, not its key's.
type ownPartition struct{}

type topicPartitions struct {
	kgo.TopicPartitioner
	all   *partitions
	topic string
}

// Partition implements kgo.TopicPartitioner; the client fails the record of a
// partition below zero.
func (t *topicPartitions) Partition(r *kgo.Record, n int) int {
	if !t.all.check(t.topic, n) {
		return -1
	}
	if r.Context.Value(ownPartition{}) != nil && int(r.Partition) < n {
		return int(r.Partition)
	}
	return t.TopicPartitioner.Partition(r, n)
}
