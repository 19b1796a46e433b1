package stream

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// NoOffset is the Next of a Position, and the From of a Span, of a partition for
// which the store holds no offset yet. It differs from 0, so that two consumers
// that both find nothing cannot both make the first move.
const NoOffset int64 = -1

// TopicPartition names one partition of one topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String gives "topic/partition", as in logs and in /readyz.
func (tp TopicPartition) String() string {
	return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition)
}

// Position is the offset that a store holds for a partition.
type Position struct {
	TopicID [16]byte // the topic that Next belongs to; zero if the broker gives no ids
	Next    int64    // offset of the next record to apply
	// Age is how long ago Next was stored: deletes of since then may be gone from
	// the topic. 0: nobody knows, and Next counts as new.
	Age time.Duration
}

// Span is a run of records of one partition without a gap: whoever has applied
// everything before From and then applies Records has applied everything before
// To. Offsets missing between From and To were compacted away.
type Span struct {
	TopicPartition
	TopicID [16]byte
	From    int64         // the offset that the store is expected to hold, NoOffset if none
	To      int64         // the offset that it is to hold then; below From if the broker lost records
	Records []*kgo.Record // at least one

	generation uint64
}

// Cut divides s before its record n, 0 < n < len(s.Records); the two parts
// follow each other without a gap.
func (s Span) Cut(n int) (head, rest Span) {
	head, rest = s, s
	border := s.Records[n-1].Offset + 1
	head.Records, head.To = s.Records[:n:n], border
	rest.Records, rest.From = s.Records[n:], border
	return head, rest
}

func topicIDText(id [16]byte) string { return hex.EncodeToString(id[:]) }
