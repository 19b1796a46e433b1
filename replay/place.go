package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"odastream/schema"
	"odastream/stream"
)

// Place is where reading begins in topics. The zero value is their start.
type Place struct {
	kind   placeKind
	offset int64
	when   time.Time
}

type placeKind int

const (
	atStart placeKind = iota
	atOffset
	atTime
)

// Start is the first offset that topics hold.
func Start() Place { return Place{} }

// AtOffset returns the same offset in each partition.
func AtOffset(offset int64) Place { return Place{kind: atOffset, offset: offset} }

// AtTime returns the place of the first record that is not older than when.
func AtTime(when time.Time) Place { return Place{kind: atTime, when: when} }

// IsOffset reports whether the place was given as an offset, which is meaningful only
// within one topic.
func (p Place) IsOffset() bool { return p.kind == atOffset }

// Span is what a partition of a topic holds, and where a Place is in it.
type Span struct {
	schema.TopicPartition
	Start, End int64  // the partition holds Start ≤ offset < End
	At         int64  // offset of the place
	Note       string // a note for a person; "" if none
}

// find looks up the place in each partition of the topics, or in only one (partition 0
// or more). It refuses an offset that a partition does not hold: it is gone or not yet
// written. The error for a missing topic is stream.ErrNoTopic.
func (p Place) find(ctx context.Context, adm *kadm.Client, topics []string, partition int) ([]Span, error) {
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	places := starts
	if p.kind == atTime {
		if places, err = adm.ListOffsetsAfterMilli(ctx, p.when.UnixMilli(), topics...); err != nil {
			return nil, fmt.Errorf("look up the offsets of %s: %w", p.when.Format(time.RFC3339), err)
		}
	}
	var found []Span
	for _, topic := range topics {
		in, err := p.within(topic, starts[topic], ends[topic], places[topic])
		if err != nil {
			return nil, err
		}
		found = append(found, in...)
	}
	return checked(found, partition)
}

// within returns the partitions of one topic, in order.
func (p Place) within(topic string, starts, ends, places map[int32]kadm.ListedOffset) ([]Span, error) {
	var found []Span
	for n, start := range starts {
		end, place := ends[n], places[n]
		err := errors.Join(start.Err, end.Err, place.Err)
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return nil, fmt.Errorf("look up topic %s: %w", topic, stream.ErrNoTopic)
		case err != nil:
			return nil, fmt.Errorf("look up topic %s partition %d: %w", topic, n, err)
		}
		s := Span{TopicPartition: schema.TopicPartition{Topic: topic, Partition: n}, Start: start.Offset, End: end.Offset}
		found = append(found, p.in(s, place))
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("look up topic %s: %w", topic, stream.ErrNoTopic)
	}
	slices.SortFunc(found, func(a, b Span) int { return int(a.Partition - b.Partition) })
	return found, nil
}

// in returns the place's span in a partition.
func (p Place) in(s Span, place kadm.ListedOffset) Span {
	switch p.kind {
	case atStart:
		s.At = s.Start
	case atOffset:
		s.At = p.offset
	case atTime:
		s.At = min(max(place.Offset, s.Start), s.End) // it may have grown or been truncated between the requests
		switch {
		case s.At == s.End && s.End > s.Start:
			s.Note = "nothing is as new as that"
		case s.At == s.Start && s.Start > 0:
			s.Note = fmt.Sprintf("what was before offset %d is gone", s.Start)
		}
	}
	return s
}

// checked removes the other partitions, and refuses an offset that a partition does not
// hold.
func checked(found []Span, partition int) ([]Span, error) {
	if partition >= 0 {
		topic := found[0].Topic
		found = slices.DeleteFunc(found, func(s Span) bool { return s.Partition != int32(partition) }) //nolint:gosec // a partition's number is small
		if len(found) == 0 {
			return nil, fmt.Errorf("topic %s has no partition %d", topic, partition)
		}
	}
	for _, s := range found {
		switch {
		case s.At < s.Start:
			return nil, fmt.Errorf("offset %d of topic %s partition %d is gone: it holds %d to %d; start is where it begins now",
				s.At, s.Topic, s.Partition, s.Start, s.End)
		case s.At > s.End:
			return nil, fmt.Errorf("offset %d of topic %s partition %d is yet to come: it holds %d to %d; --partition names one partition",
				s.At, s.Topic, s.Partition, s.Start, s.End)
		}
	}
	return found, nil
}
