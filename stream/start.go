package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"golang.org/x/sync/errgroup"

	"odastream/schema"
)

// starts finds the start offsets of partitions: the stored offset, or the topic's
// start if the stored offset is not of this topic.
type starts struct {
	cfg     Config
	cc      ConsumerConfig
	log     *slog.Logger
	metrics *consumerMetrics
	adm     *kadm.Client
	report  func(trouble string) // shows what takes long
}

// find returns each partition with its stored offset and its start offset in the
// current topic.
func (s *starts) find(ctx context.Context, want []schema.TopicPartition) (map[schema.TopicPartition]*partition, error) {
	topics := topicNames(want)
	if len(topics) == 0 {
		return nil, nil // kadm takes an empty list as all topics
	}
	stored, details, err := s.readStored(ctx, topics)
	if err != nil {
		return nil, err
	}
	// Read the ends after the stored offsets: an earlier end may lie before them.
	starts, ends, err := s.bounds(ctx, topics)
	if err != nil {
		return nil, err
	}
	found := make(map[schema.TopicPartition]*partition, len(want))
	for _, tp := range want {
		start, end, err := bound(starts, ends, tp)
		if err != nil {
			return nil, err
		}
		pos, ok := stored[tp]
		if !ok {
			pos.Next = schema.NoOffset
		}
		p := &partition{topicID: details[tp.Topic].ID, next: pos.Next, at: start, end: end, stopAt: noStop}
		if err := s.begin(ctx, tp, p, pos); err != nil {
			return nil, err
		}
		p.start = p.at
		found[tp] = p
	}
	if err := s.checkAges(ctx, offsetAges(found, stored)); err != nil {
		return nil, err
	}
	return found, nil
}

// readStored reads the stored offsets and the topics' details concurrently.
func (s *starts) readStored(ctx context.Context, topics []string) (stored map[schema.TopicPartition]schema.Position, details kadm.TopicDetails, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		stored, err = s.cc.Positions(ctx)
		return err
	})
	g.Go(func() (err error) {
		if details, err = s.adm.ListTopics(ctx, topics...); err != nil {
			return fmt.Errorf("look up topics: %w", err)
		}
		return nil
	})
	err = g.Wait()
	return stored, details, err
}

// bounds reads the topics' start and end offsets concurrently.
func (s *starts) bounds(ctx context.Context, topics []string) (starts, ends kadm.ListedOffsets, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if starts, err = s.adm.ListStartOffsets(ctx, topics...); err != nil {
			return fmt.Errorf("look up start offsets: %w", err)
		}
		return nil
	})
	g.Go(func() (err error) {
		if ends, err = s.adm.ListEndOffsets(ctx, topics...); err != nil {
			return fmt.Errorf("look up end offsets: %w", err)
		}
		return nil
	})
	err = g.Wait()
	return starts, ends, err
}

// begin sets where to read p from; at first it is at the topic's start.
func (s *starts) begin(ctx context.Context, tp schema.TopicPartition, p *partition, pos schema.Position) error {
	reason := ""
	switch {
	case pos.Next == schema.NoOffset || p.topicID == [16]byte{}: // nothing applied yet, or the topic was deleted just now
		return nil
	case pos.TopicID != p.topicID:
		reason = resetRecreated
	case pos.Next < p.at || pos.Next > p.end:
		reason = resetOutOfRange
	default:
		p.at = pos.Next
		return nil
	}
	s.metrics.resets.WithLabelValues(reason).Inc()
	s.log.Error("stored offset is not of this topic, reading it from its start", "topic", tp.Topic, "partition", tp.Partition,
		"reason", reason, "offset", pos.Next, "start", p.at, "end", p.end,
		"stored_id", topicIDText(pos.TopicID), "topic_id", topicIDText(p.topicID))
	p.next = p.at
	return s.cc.Reset(ctx, tp, pos, schema.Position{TopicID: p.topicID, Next: p.at})
}

// bound returns a partition's start and end. A topic deleted meanwhile counts as empty:
// waiting for it would delay all other topics, and the group drops it soon.
func bound(starts, ends kadm.ListedOffsets, tp schema.TopicPartition) (start, end int64, err error) {
	s, okStart := starts.Lookup(tp.Topic, tp.Partition)
	e, okEnd := ends.Lookup(tp.Topic, tp.Partition)
	err = errors.Join(s.Err, e.Err)
	if !okStart || !okEnd || errors.Is(err, kerr.UnknownTopicOrPartition) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look up offsets of %s: %w", tp, err)
	}
	return s.Offset, e.Offset, nil
}
