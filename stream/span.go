package stream

import (
	"encoding/hex"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// Span is a run of records of one partition without a gap: once everything before From
// and then Records are applied, everything before To is applied. Offsets missing
// between From and To were compacted away.
type Span struct {
	schema.TopicPartition
	TopicID [16]byte
	From    int64         // the expected stored offset, schema.NoOffset if none
	To      int64         // the offset to store afterwards; below From if the broker lost records
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
