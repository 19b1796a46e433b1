package stream

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// poll waits up to wait for records, at most limit of them, and gives them as
// spans. It also names topics that were deleted and made anew.
func (r *reader) poll(ctx context.Context, limit int, wait time.Duration) (spans []Span, anew []string, err error) {
	timed, cancel := context.WithTimeout(ctx, wait)
	fetches := r.cl.PollRecords(timed, limit)
	cancel()
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if fetches.IsClientClosed() {
		return nil, nil, ErrClosed
	}
	spans, anew = r.spans(fetches)
	anew = append(anew, r.faults(ctx, fetches, len(spans) > 0)...)
	r.seek()
	return spans, anew, nil
}

// spans also names topics whose records come from another topic than was looked
// up at the assignment.
func (r *reader) spans(fetches kgo.Fetches) (spans []Span, anew []string) {
	fetches.EachTopic(func(topic kgo.FetchTopic) {
		for _, part := range topic.Partitions {
			span, ok, recreated := r.span(topic, part)
			if recreated {
				anew = append(anew, topic.Topic)
			}
			if ok {
				spans = append(spans, span)
			}
		}
	})
	return spans, anew
}

// span turns what was fetched of one partition into a Span, unless the partition
// is no longer ours, is about to be sought, or turns out to be another topic's.
func (r *reader) span(topic kgo.FetchTopic, part kgo.FetchPartition) (s Span, ok, recreated bool) {
	tp := TopicPartition{Topic: topic.Topic, Partition: part.Partition}
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
	p.end, p.trouble, r.trouble = max(part.HighWatermark, part.Records[len(part.Records)-1].Offset+1), "", ""
	records := before(part.Records, p.goal)
	if len(records) == 0 {
		p.at = max(p.at, p.goal)
		return Span{}, false, false
	}
	s = Span{
		TopicPartition: tp, TopicID: p.topicID, Records: records,
		From: p.next, To: records[len(records)-1].Offset + 1, generation: p.generation,
	}
	p.next, p.at = s.To, s.To
	if len(records) < len(part.Records) {
		p.at = p.goal
	}
	return s, true, false
}

// checkJump speaks up when the client went on elsewhere than asked: back, because
// the broker has lost what we read, or over records that were deleted unread.
// (Gaps that compaction leaves do not move the log's start.)
func (r *reader) checkJump(tp TopicPartition, p *partition, part kgo.FetchPartition) {
	first := part.Records[0].Offset
	if first < p.at {
		r.metrics.resets.WithLabelValues(resetDataLoss).Inc()
		r.log.Error("topic was cut off, reading it again", "topic", tp.Topic, "partition", tp.Partition,
			"offset", p.at, "resumed_at", first)
	}
	if part.LogStartOffset > p.at {
		r.metrics.resets.WithLabelValues(resetOutOfRange).Inc()
		r.log.Error("records were deleted before they were read", "topic", tp.Topic, "partition", tp.Partition,
			"offset", p.at, "start", part.LogStartOffset)
	}
}

func before(records []*kgo.Record, goal int64) []*kgo.Record {
	n, _ := slices.BinarySearchFunc(records, goal, func(r *kgo.Record, goal int64) int {
		return int(min(max(r.Offset-goal, -1), 1))
	})
	return records[:n]
}

// faults notes what went wrong with a fetch, and names the topics that were
// deleted and made anew. Everything else is retried by the client.
func (r *reader) faults(ctx context.Context, fetches kgo.Fetches, some bool) (anew []string) {
	only := false
	fetches.EachError(func(topic string, part int32, err error) {
		if topic == "" && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
			return // how PollRecords says that nothing came in time
		}
		only = !some
		var loss *kgo.ErrDataLoss
		switch {
		case errors.Is(err, kerr.UnknownTopicID):
			anew = append(anew, topic)
		case errors.As(err, &loss):
			r.metrics.resets.WithLabelValues(resetDataLoss).Inc()
			r.log.Error("topic has lost records", "topic", topic, "partition", part, "err", err)
		default:
			r.note(TopicPartition{Topic: topic, Partition: part}, err)
		}
	})
	if only && len(anew) == 0 {
		// A partition that fails at once would otherwise turn the loop hot.
		_ = backoff(ctx, 1)
	}
	return anew
}

func (r *reader) note(tp TopicPartition, err error) {
	text := err.Error()
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[tp]
	if p == nil {
		if r.trouble != text {
			r.log.Warn("Kafka gives no records", "err", err)
		}
		r.trouble = text
		return
	}
	if p.trouble != text {
		r.log.Warn("partition gives no records", "topic", tp.Topic, "partition", tp.Partition, "err", err)
	}
	p.trouble = text
}
