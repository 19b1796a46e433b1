package stream

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// poll waits up to wait for records, at most limit of them, and returns them as spans.
// It also returns the topics that were recreated.
func (r *reader) poll(ctx context.Context, limit int, wait time.Duration) (spans []Span, recreated []string, err error) {
	timed, cancel := context.WithTimeout(ctx, wait)
	fetches := r.cl.PollRecords(timed, limit)
	cancel()
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if fetches.IsClientClosed() {
		return nil, nil, ErrClosed
	}
	PassLargeBatches(r.cl, fetches)
	spans, recreated = r.spans(fetches)
	recreated = append(recreated, r.checkErrors(ctx, fetches, len(spans) > 0)...)
	r.seek()
	return spans, recreated, nil
}

// spans also returns the topics whose id is no longer that of the assignment.
func (r *reader) spans(fetches kgo.Fetches) (spans []Span, recreated []string) {
	fetches.EachTopic(func(topic kgo.FetchTopic) {
		for _, part := range topic.Partitions {
			span, ok, other := r.span(topic, part)
			if other {
				recreated = append(recreated, topic.Topic)
			}
			if ok {
				spans = append(spans, span)
			}
		}
	})
	return spans, recreated
}

// span turns the fetched records of one partition into a Span. It is not ok if the
// partition is no longer owned or is about to be sought, and other if its topic was
// recreated.
func (r *reader) span(topic kgo.FetchTopic, part kgo.FetchPartition) (s Span, ok, other bool) {
	tp := schema.TopicPartition{Topic: topic.Topic, Partition: part.Partition}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[tp]
	if _, seeking := r.seeks[tp]; p == nil || seeking || len(part.Records) == 0 {
		return Span{}, false, false
	}
	if topic.TopicID != p.topicID && topic.TopicID != [16]byte{} {
		return Span{}, false, true
	}
	r.checkJump(tp, p, part)
	p.end, p.trouble, r.trouble = max(part.HighWatermark, offsetAfter(part.Records[len(part.Records)-1])), "", ""
	records := before(part.Records, p.stopAt)
	if len(records) == 0 {
		p.at = max(p.at, p.stopAt)
		return Span{}, false, false
	}
	s = Span{
		TopicPartition: tp, TopicID: p.topicID, Records: records,
		From: p.next, To: offsetAfter(records[len(records)-1]), generation: p.generation,
	}
	p.next, p.at = s.To, s.To
	if len(records) < len(part.Records) {
		p.at = p.stopAt
	}
	return s, true, false
}

// checkJump logs when the client read from another offset than asked for: from an
// earlier one, because the broker lost records that were read, or from a later one,
// because unread records were deleted. (Gaps of compaction do not move the log's start.)
func (r *reader) checkJump(tp schema.TopicPartition, p *partition, part kgo.FetchPartition) {
	first := part.Records[0].Offset
	if first < p.at && largeBatchOf(part.Records[0]) == nil {
		r.metrics.resets.WithLabelValues(resetDataLoss).Inc()
		r.log.Error("topic was truncated, reading it again", "topic", tp.Topic, "partition", tp.Partition,
			"offset", p.at, "resumed_at", first)
	}
	if part.LogStartOffset > p.at {
		r.metrics.resets.WithLabelValues(resetOutOfRange).Inc()
		r.log.Error("records were deleted before they were read", "topic", tp.Topic, "partition", tp.Partition,
			"offset", p.at, "start", part.LogStartOffset)
	}
}

func before(records []*kgo.Record, stopAt int64) []*kgo.Record {
	n, _ := slices.BinarySearchFunc(records, stopAt, func(r *kgo.Record, stopAt int64) int {
		return int(min(max(r.Offset-stopAt, -1), 1))
	})
	return records[:n]
}

// checkErrors notes the errors of a fetch, and returns the topics that were recreated.
// The client retries all others.
func (r *reader) checkErrors(ctx context.Context, fetches kgo.Fetches, some bool) (recreated []string) {
	only := false
	fetches.EachError(func(topic string, part int32, err error) {
		if topic == "" && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
			return // PollRecords says so if no records came in time
		}
		only = !some
		var loss *kgo.ErrDataLoss
		switch {
		case errors.Is(err, kerr.UnknownTopicID):
			recreated = append(recreated, topic)
		case errors.As(err, &loss):
			r.metrics.resets.WithLabelValues(resetDataLoss).Inc()
			r.log.Error("topic has lost records", "topic", topic, "partition", part, "err", err)
		default:
			r.note(schema.TopicPartition{Topic: topic, Partition: part}, err)
		}
	})
	if only && len(recreated) == 0 {
		// Without it a partition that fails at once would make this a busy loop.
		_ = backoff(ctx, 1)
	}
	return recreated
}

func (r *reader) note(tp schema.TopicPartition, err error) {
	text := err.Error()
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[tp]
	if p == nil {
		if r.trouble != text {
			r.log.Warn("no records from Kafka", "err", err)
		}
		r.trouble = text
		return
	}
	if p.trouble != text {
		r.log.Warn("no records from partition", "topic", tp.Topic, "partition", tp.Partition, "err", err)
	}
	p.trouble = text
}
