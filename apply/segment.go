package apply

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/schema"
	"odastream/stream"
)

// segment is a span of one partition with its records decoded.
type segment struct {
	stream.Span
	items []item // one for each of Span.Records
}

// item is one record to be applied or dead-lettered.
type item struct {
	record  *kgo.Record
	message stream.Message
	fault   *fault // nil: it is to be applied
	tries   int    // how often applying it failed
}

// fault is why a record cannot be applied. It is written once Kafka has
// acknowledged its dead letter.
type fault struct {
	class      stream.Class
	sqlstate   string
	text       string
	tries      int
	deadLetter cache.DeadLetter
	written    bool
}

func newSegment(kafka stream.Config, span stream.Span) segment {
	seg := segment{Span: span, items: make([]item, len(span.Records))}
	for i, record := range span.Records {
		message, err := kafka.Decode(record)
		seg.items[i] = item{record: record, message: message}
		if err != nil {
			seg.items[i].fault = &fault{class: classOf(err), text: err.Error(), tries: 1}
		}
	}
	return seg
}

func classOf(err error) stream.Class {
	if decode, ok := errors.AsType[*stream.DecodeError](err); ok {
		return decode.Class
	}
	return stream.ClassDecode
}

// size returns the bytes that a record holds.
func size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

func count(segs []segment) (rows int) {
	for _, seg := range segs {
		rows += len(seg.items)
	}
	return rows
}

// split divides segs before record n: applying left and then right applies segs.
// Either part may be empty.
func split(segs []segment, n int) (left, right []segment) {
	for i, seg := range segs {
		switch {
		case n >= len(seg.items):
			n -= len(seg.items)
		case n == 0:
			return segs[:i:i], segs[i:]
		default:
			head, tail := seg.Cut(n)
			left = append(segs[:i:i], segment{head, seg.items[:n]})
			return left, append([]segment{{tail, seg.items[n:]}}, segs[i+1:]...)
		}
	}
	return segs, nil
}

// makeBatch makes the batch that applies segs. The segments of a partition follow
// each other, so its offset moves from the first one's From to the last one's To.
func makeBatch(segs []segment) cache.Batch {
	var b cache.Batch
	b.Records = make([]cache.Record, 0, count(segs))
	moves := map[schema.TopicPartition]int{}
	for _, seg := range segs {
		tp := seg.TopicPartition
		for _, it := range seg.items {
			if it.fault != nil {
				b.DeadLetters = append(b.DeadLetters, it.fault.deadLetter)
				continue
			}
			b.Records = append(b.Records, cache.Record{
				TopicPartition: tp, Offset: it.record.Offset, Change: it.message.Change, Tombstone: it.message.Tombstone,
			})
		}
		if i, ok := moves[seg.TopicPartition]; ok {
			b.Moves[i].To = seg.To
			continue
		}
		moves[seg.TopicPartition] = len(b.Moves)
		b.Moves = append(b.Moves, cache.Move{TopicPartition: tp, TopicID: seg.TopicID, From: seg.From, To: seg.To})
	}
	return b
}

// groupByTopic returns the segments of each topic, topics in order of appearance.
func groupByTopic(segs []segment) (names []string, byTopic map[string][]segment) {
	byTopic = map[string][]segment{}
	for _, seg := range segs {
		if byTopic[seg.Topic] == nil {
			names = append(names, seg.Topic)
		}
		byTopic[seg.Topic] = append(byTopic[seg.Topic], seg)
	}
	return names, byTopic
}

func partitions(segs []segment) []schema.TopicPartition {
	seen := map[schema.TopicPartition]bool{}
	var all []schema.TopicPartition
	for _, seg := range segs {
		if !seen[seg.TopicPartition] {
			seen[seg.TopicPartition] = true
			all = append(all, seg.TopicPartition)
		}
	}
	return all
}
