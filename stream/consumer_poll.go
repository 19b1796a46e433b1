package stream

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Poll waits up to wait for records, at most limit of them, and hands them out
// in spans. No span and no error: nothing came in time. The error is that of
// ctx, ErrClosed, or for a direct consumer ErrEnd or *StuckError; trouble with
// brokers and group passes by itself and shows in State.
func (c *Consumer) Poll(ctx context.Context, limit int, wait time.Duration) ([]Span, error) {
	if c.direct && c.ended() {
		return nil, ErrEnd
	}
	timed, cancel := context.WithTimeout(ctx, wait)
	fetches := c.cl.PollRecords(timed, limit)
	cancel()
	// Rebalances wait from PollRecords to here: between the two no partition can
	// change hands, so what is handed out is stamped with the right generation.
	defer c.cl.AllowRebalance()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if fetches.IsClientClosed() {
		return nil, ErrClosed
	}
	spans, anew := c.spans(fetches)
	anew = append(anew, c.faults(ctx, fetches, len(spans) > 0)...)
	c.seek()
	if c.direct {
		return spans, c.progress(ctx, len(spans) > 0, anew)
	}
	c.startOver(anew)
	return spans, nil
}

// spans also names topics whose records come from another topic than was looked
// up at the assignment.
func (c *Consumer) spans(fetches kgo.Fetches) (spans []Span, anew []string) {
	fetches.EachTopic(func(topic kgo.FetchTopic) {
		for _, part := range topic.Partitions {
			span, ok, recreated := c.span(topic, part)
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
func (c *Consumer) span(topic kgo.FetchTopic, part kgo.FetchPartition) (s Span, ok, recreated bool) {
	tp := TopicPartition{Topic: topic.Topic, Partition: part.Partition}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.parts[tp]
	if _, seeking := c.seeks[tp]; p == nil || seeking || len(part.Records) == 0 {
		return Span{}, false, false
	}
	if topic.TopicID != p.topicID && topic.TopicID != [16]byte{} {
		return Span{}, false, true
	}
	c.checkJump(tp, p, part)
	p.end, p.trouble, c.trouble = max(part.HighWatermark, part.Records[len(part.Records)-1].Offset+1), "", ""
	records := part.Records
	if c.direct {
		records = before(records, p.goal)
	}
	if len(records) == 0 {
		p.at = max(p.at, p.goal)
		return Span{}, false, false
	}
	s = Span{
		TopicPartition: tp, TopicID: p.topicID, Records: records,
		From: p.next, To: records[len(records)-1].Offset + 1, generation: p.generation,
	}
	p.next, p.at = s.To, s.To
	if c.direct && len(records) < len(part.Records) {
		p.at = p.goal
	}
	return s, true, false
}

// checkJump speaks up when the client went on elsewhere than asked: back, because
// the broker has lost what we read, or over records that were deleted unread.
// (Gaps that compaction leaves do not move the log's start.)
func (c *Consumer) checkJump(tp TopicPartition, p *partition, part kgo.FetchPartition) {
	first := part.Records[0].Offset
	if first < p.at {
		c.metrics.resets.WithLabelValues(resetDataLoss).Inc()
		c.log.Error("topic was cut off, reading it again", "topic", tp.Topic, "partition", tp.Partition,
			"offset", p.at, "resumed_at", first)
	}
	if part.LogStartOffset > p.at {
		c.metrics.resets.WithLabelValues(resetOutOfRange).Inc()
		c.log.Error("records were deleted before they were read", "topic", tp.Topic, "partition", tp.Partition,
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
func (c *Consumer) faults(ctx context.Context, fetches kgo.Fetches, some bool) (anew []string) {
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
			c.metrics.resets.WithLabelValues(resetDataLoss).Inc()
			c.log.Error("topic has lost records", "topic", topic, "partition", part, "err", err)
		default:
			c.note(TopicPartition{Topic: topic, Partition: part}, err)
		}
	})
	if only && len(anew) == 0 {
		// A partition that fails at once would otherwise turn the loop hot.
		_ = backoff(ctx, 1)
	}
	return anew
}

func (c *Consumer) note(tp TopicPartition, err error) {
	text := err.Error()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.parts[tp]
	if p == nil {
		if c.trouble != text {
			c.log.Warn("Kafka gives no records", "err", err)
		}
		c.trouble = text
		return
	}
	if p.trouble != text {
		c.log.Warn("partition gives no records", "topic", tp.Topic, "partition", tp.Partition, "err", err)
	}
	p.trouble = text
}

// startOver makes the client forget topics that were deleted and made anew: it
// holds on to the old id. The pattern finds them again, and assign sees the new id.
func (c *Consumer) startOver(topics []string) {
	if len(topics) == 0 {
		return
	}
	slices.SortFunc(topics, strings.Compare)
	topics = slices.Compact(topics)
	c.log.Error("topics were made anew", "topics", topics)
	c.mu.Lock()
	for tp := range c.parts {
		if slices.Contains(topics, tp.Topic) {
			delete(c.parts, tp)
			delete(c.seeks, tp)
		}
	}
	c.mu.Unlock()
	c.lookups.forgetTopics(topics)
	c.cl.AllowRebalance() // the purge waits for a rebalance
	c.cl.PurgeTopicsFromConsuming(topics...)
}

// seek carries out what Reseek asked for; only here, where no rebalance can run.
func (c *Consumer) seek() {
	c.mu.Lock()
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for tp, at := range c.seeks {
		if offsets[tp.Topic] == nil {
			offsets[tp.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: at}
	}
	clear(c.seeks)
	c.mu.Unlock()
	if len(offsets) > 0 {
		c.cl.SetOffsets(offsets)
	}
}

func (c *Consumer) setTrouble(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = text
}
