package apply

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/stream"
)

// segment is a span of one partition with its records decoded.
type segment struct {
	stream.Span
	items []item // one for each of Span.Records
}

// item is one record on its way into the cache, or into the dead letters.
type item struct {
	record  *kgo.Record
	message stream.Message
	fault   *fault // nil: it is to be applied
	tries   int    // how often it was, in vain
}

// fault is why a record cannot be applied; lettered once Kafka has its dead letter.
type fault struct {
	class    stream.Class
	sqlstate string
	text     string
	tries    int
	letter   cache.DeadLetter
	lettered bool
}

func newSegment(span stream.Span) segment {
	seg := segment{Span: span, items: make([]item, len(span.Records))}
	for i, record := range span.Records {
		message, err := stream.Decode(record)
		seg.items[i] = item{record: record, message: message}
		if err != nil {
			seg.items[i].fault = &fault{class: classOf(err), text: err.Error(), tries: 1}
		}
	}
	return seg
}

func classOf(err error) stream.Class {
	var decode *stream.DecodeError
	if errors.As(err, &decode) {
		return decode.Class
	}
	return stream.ClassDecode
}

func size(r *kgo.Record) int { return len(r.Key) + len(r.Value) }

func count(segs []segment) (rows int) {
	for _, seg := range segs {
		rows += len(seg.items)
	}
	return rows
}

// halve divides segs, which hold at least two records, in the middle; each half
// is applied by itself, the first one first.
func halve(segs []segment) (left, right []segment) {
	rest := count(segs) / 2
	for i, seg := range segs {
		if rest >= len(seg.items) {
			rest -= len(seg.items)
			continue
		}
		left = append(left, segs[:i]...)
		if rest == 0 {
			return left, segs[i:]
		}
		head, tail := seg.Cut(rest)
		left = append(left, segment{head, seg.items[:rest]})
		right = append(right, segment{tail, seg.items[rest:]})
		return left, append(right, segs[i+1:]...)
	}
	return segs, nil
}

// batch is what one transaction does with segs. Segments of a partition follow
// each other, so its move goes from the first one's From to the last one's To.
func batch(segs []segment) cache.Batch {
	var b cache.Batch
	b.Records = make([]cache.Record, 0, count(segs))
	moves := map[stream.TopicPartition]int{}
	for _, seg := range segs {
		tp := cache.TopicPartition(seg.TopicPartition)
		for _, it := range seg.items {
			if it.fault != nil {
				b.DeadLetters = append(b.DeadLetters, it.fault.letter)
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

// topics gives the segments of each topic, topics in order of appearance.
func topics(segs []segment) (names []string, byTopic map[string][]segment) {
	byTopic = map[string][]segment{}
	for _, seg := range segs {
		if byTopic[seg.Topic] == nil {
			names = append(names, seg.Topic)
		}
		byTopic[seg.Topic] = append(byTopic[seg.Topic], seg)
	}
	return names, byTopic
}

func partitions(segs []segment) []stream.TopicPartition {
	seen := map[stream.TopicPartition]bool{}
	var all []stream.TopicPartition
	for _, seg := range segs {
		if !seen[seg.TopicPartition] {
			seen[seg.TopicPartition] = true
			all = append(all, seg.TopicPartition)
		}
	}
	return all
}
