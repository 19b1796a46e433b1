package schema

import (
	"fmt"
	"time"
)

// TopicPartition names one partition of one Kafka topic.
type TopicPartition struct {
	Topic     string
	Partition int32 // from 0
}

// String returns "topic/partition", as in logs and in /readyz.
func (tp TopicPartition) String() string {
	return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition)
}

// NoOffset is the offset of a partition without a stored offset. It differs from 0, so
// that two writers that both find no offset cannot both make the first move.
const NoOffset int64 = -1

// Position is an offset that a store holds for a partition. The zero value means that
// none is stored.
type Position struct {
	TopicID  [16]byte  // the topic that Next belongs to; zero if the broker gives no ids
	Next     int64     // the offset of the next record to read
	StoredAt time.Time // when Next was stored; zero if not known
	Start    int64     // the partition's first offset when it was read; only the poller's ledger stores it
}
