package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"odastream/stream"
)

// spotKind says by what a spot is given.
type spotKind int

const (
	spotStart spotKind = iota
	spotOffset
	spotTime
)

// spot is a place in topics as a person gives it.
type spot struct {
	kind   spotKind
	offset int64
	when   time.Time
}

// parseSpot reads start, an offset, a time before now, or a moment.
func parseSpot(name, text string, now time.Time) (spot, error) {
	if text == "start" {
		return spot{kind: spotStart}, nil
	}
	if offset, err := strconv.ParseInt(text, 10, 64); err == nil && offset >= 0 {
		return spot{kind: spotOffset, offset: offset}, nil
	}
	when, err := parseSince(name, text, now)
	switch {
	case err != nil:
		return spot{}, fmt.Errorf("%w: --%s is %q, want start, an offset from 0, a time before now such as 24h, or a moment such as 2026-11-23T15:00:00Z", errUsage, name, text)
	case when.After(now):
		return spot{}, fmt.Errorf("%w: --%s is %s, which is yet to come", errUsage, name, text)
	}
	return spot{kind: spotTime, when: when}, nil
}

// stretch is what a topic's partition holds, and where in it a spot is.
type stretch struct {
	topic      string
	partition  int32
	start, end int64 // offsets of what it holds: start ≤ offset < end
	at         int64
	note       string // what a person should know; "" if nothing
}

// find looks the spot up in each partition of the topics, or in one of them alone
// (partition 0 or more). It refuses an offset that a partition does not hold: it
// is gone, or has not come yet. A topic that is not there is stream.ErrNoTopic.
func (s spot) find(ctx context.Context, adm *kadm.Client, topics []string, partition int) ([]stretch, error) {
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	places := starts
	if s.kind == spotTime {
		if places, err = adm.ListOffsetsAfterMilli(ctx, s.when.UnixMilli(), topics...); err != nil {
			return nil, fmt.Errorf("look up the offsets of %s: %w", s.when.Format(time.RFC3339), err)
		}
	}
	var found []stretch
	for _, topic := range topics {
		in, err := s.within(topic, starts[topic], ends[topic], places[topic])
		if err != nil {
			return nil, err
		}
		found = append(found, in...)
	}
	return s.checked(found, partition)
}

// within gives the partitions of one topic, in their order.
func (s spot) within(topic string, starts, ends, places map[int32]kadm.ListedOffset) ([]stretch, error) {
	var found []stretch
	for p, start := range starts {
		end, place := ends[p], places[p]
		err := errors.Join(start.Err, end.Err, place.Err)
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return nil, fmt.Errorf("look up topic %s: %w", topic, stream.ErrNoTopic)
		case err != nil:
			return nil, fmt.Errorf("look up topic %s partition %d: %w", topic, p, err)
		}
		found = append(found, s.in(stretch{topic: topic, partition: p, start: start.Offset, end: end.Offset}, place))
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("look up topic %s: %w", topic, stream.ErrNoTopic)
	}
	slices.SortFunc(found, func(a, b stretch) int { return int(a.partition - b.partition) })
	return found, nil
}

// in puts the spot into a partition.
func (s spot) in(in stretch, place kadm.ListedOffset) stretch {
	switch s.kind {
	case spotStart:
		in.at = in.start
	case spotOffset:
		in.at = s.offset
	case spotTime:
		in.at = min(max(place.Offset, in.start), in.end) // it may have grown, or been cut, between the questions
		switch {
		case in.at == in.end && in.end > in.start:
			in.note = "nothing is as new as that"
		case in.at == in.start && in.start > 0:
			in.note = fmt.Sprintf("what was before offset %d is gone", in.start)
		}
	}
	return in
}

// checked leaves out the other partitions, and refuses an offset that is not held.
func (s spot) checked(found []stretch, partition int) ([]stretch, error) {
	if partition >= 0 {
		topic := found[0].topic
		found = slices.DeleteFunc(found, func(f stretch) bool { return f.partition != int32(partition) }) //nolint:gosec // a partition's number is small
		if len(found) == 0 {
			return nil, fmt.Errorf("topic %s has no partition %d", topic, partition)
		}
	}
	for _, f := range found {
		switch {
		case f.at < f.start:
			return nil, fmt.Errorf("offset %d of topic %s partition %d is gone: it holds %d to %d; start is where it begins now",
				f.at, f.topic, f.partition, f.start, f.end)
		case f.at > f.end:
			return nil, fmt.Errorf("offset %d of topic %s partition %d is yet to come: it holds %d to %d; --partition names one partition",
				f.at, f.topic, f.partition, f.start, f.end)
		}
	}
	return found, nil
}
