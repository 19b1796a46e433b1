package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

// assign tells the client where to read partitions that the group has just given
// us. It runs beside polls and heartbeats, so it waits for a store that is away
// instead of leaving the group. With the next rebalance ctx ends; the client then
// asks again for the partitions that are still ours.
func (c *Consumer) assign(ctx context.Context, given map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	<-c.built
	var want []TopicPartition
	for topic, partitions := range given {
		for p := range partitions {
			want = append(want, TopicPartition{Topic: topic, Partition: p})
		}
	}
	member, _ := c.cl.GroupMetadata()
	for try := 0; ; try++ {
		found, err := c.lookups.get(ctx, member, want)
		if err == nil {
			c.own(found)
			return kgoOffsets(found), nil
		}
		if ctx.Err() == nil {
			c.setTrouble("start offsets: " + err.Error())
			c.log.Warn("start offsets not found, trying again", "partitions", len(want), "err", err)
		}
		if err := backoff(ctx, try); err != nil {
			return nil, fmt.Errorf("find start offsets: %w", err)
		}
	}
}

// Reseek reads the store's offsets of partitions again and goes on from there:
// for partitions that somebody else has moved. Spans handed out before are no
// longer Current. Partitions that are not ours any more are left alone.
func (c *Consumer) Reseek(ctx context.Context, partitions []TopicPartition) error {
	found, err := c.locate(ctx, partitions)
	if err != nil {
		return fmt.Errorf("read offsets again: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = ""
	for tp, p := range found {
		old := c.parts[tp]
		if old == nil {
			continue
		}
		c.generation++
		p.generation, p.goal = c.generation, old.goal
		c.parts[tp], c.seeks[tp] = p, p.at
	}
	return nil
}

// locate finds for each partition the store's offset and where in the topic, as
// it stands now, reading has to begin.
func (c *Consumer) locate(ctx context.Context, want []TopicPartition) (map[TopicPartition]*partition, error) {
	topics := topicNames(want)
	if len(topics) == 0 {
		return nil, nil // kadm takes no topic for all topics
	}
	held, details, err := c.heldOf(ctx, topics)
	if err != nil {
		return nil, err
	}
	// Only now: an end that is older than a stored offset may lie before it.
	starts, ends, err := c.bounds(ctx, topics)
	if err != nil {
		return nil, err
	}
	found := make(map[TopicPartition]*partition, len(want))
	for _, tp := range want {
		start, end, err := bound(starts, ends, tp)
		if err != nil {
			return nil, err
		}
		pos, ok := held[tp]
		if !ok {
			pos.Next = NoOffset
		}
		p := &partition{topicID: details[tp.Topic].ID, next: pos.Next, at: start, end: end}
		if err := c.begin(ctx, tp, p, pos); err != nil {
			return nil, err
		}
		p.start = p.at
		found[tp] = p
	}
	if err := c.lookThrough(ctx, aged(found, held)); err != nil {
		return nil, err
	}
	return found, nil
}

// begin decides where reading of p, which stands at its start, begins.
func (c *Consumer) begin(ctx context.Context, tp TopicPartition, p *partition, pos Position) error {
	reason := ""
	switch {
	case pos.Next == NoOffset || p.topicID == [16]byte{}: // nothing applied yet, or the topic was deleted just now
		return nil
	case pos.TopicID != p.topicID:
		reason = resetRecreated
	case pos.Next < p.at || pos.Next > p.end:
		reason = resetOutOfRange
	default:
		p.at = pos.Next
		return nil
	}
	c.metrics.resets.WithLabelValues(reason).Inc()
	c.log.Error("stored offset is not of this topic, reading it from its start", "topic", tp.Topic, "partition", tp.Partition,
		"reason", reason, "offset", pos.Next, "start", p.at, "end", p.end,
		"stored_id", topicIDText(pos.TopicID), "topic_id", topicIDText(p.topicID))
	p.next = p.at
	return c.cc.Reset(ctx, tp, pos, Position{TopicID: p.topicID, Next: p.at})
}

// heldOf asks the store for its offsets and the brokers for the topics, at once.
func (c *Consumer) heldOf(ctx context.Context, topics []string) (held map[TopicPartition]Position, details kadm.TopicDetails, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		held, err = c.cc.Positions(ctx)
		return err
	})
	g.Go(func() (err error) {
		if details, err = c.adm.ListTopics(ctx, topics...); err != nil {
			return fmt.Errorf("look up topics: %w", err)
		}
		return nil
	})
	err = g.Wait()
	return held, details, err
}

// bounds asks the brokers where the topics start and end, at once.
func (c *Consumer) bounds(ctx context.Context, topics []string) (starts, ends kadm.ListedOffsets, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if starts, err = c.adm.ListStartOffsets(ctx, topics...); err != nil {
			return fmt.Errorf("look up start offsets: %w", err)
		}
		return nil
	})
	g.Go(func() (err error) {
		if ends, err = c.adm.ListEndOffsets(ctx, topics...); err != nil {
			return fmt.Errorf("look up end offsets: %w", err)
		}
		return nil
	})
	err = g.Wait()
	return starts, ends, err
}

// bound gives a partition's start and end. A topic deleted meanwhile is empty:
// waiting for it would hold up all other topics, and the group drops it soon.
func bound(starts, ends kadm.ListedOffsets, tp TopicPartition) (start, end int64, err error) {
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

func (c *Consumer) own(found map[TopicPartition]*partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = ""
	for tp, p := range found {
		c.generation++
		p.generation = c.generation
		c.parts[tp] = p
		delete(c.seeks, tp)
	}
	c.log.Info("partitions taken", "partitions", len(found), "owned", len(c.parts))
}

// revoke forgets partitions first, so that nothing more of them is handed out,
// and then lets the owner of the work in flight end it.
func (c *Consumer) revoke(ctx context.Context, lost map[string][]int32) {
	<-c.built
	var gone []TopicPartition
	c.mu.Lock()
	for topic, partitions := range lost {
		for _, p := range partitions {
			tp := TopicPartition{Topic: topic, Partition: p}
			delete(c.parts, tp)
			delete(c.seeks, tp)
			gone = append(gone, tp)
		}
	}
	owned := len(c.parts)
	c.mu.Unlock()
	c.lookups.forget(gone...)
	if len(gone) == 0 {
		return
	}
	c.Resume(gone...)
	if c.cc.Revoked != nil {
		c.cc.Revoked(ctx, gone)
	}
	c.log.Info("partitions given up", "partitions", len(gone), "owned", owned)
}

func (c *Consumer) committed(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
	if err != nil {
		c.log.Debug("offsets not committed to Kafka", "err", err)
	}
}

func kgoOffsets(found map[TopicPartition]*partition) map[string]map[int32]kgo.Offset {
	offsets := map[string]map[int32]kgo.Offset{}
	for tp, p := range found {
		if offsets[tp.Topic] == nil {
			offsets[tp.Topic] = map[int32]kgo.Offset{}
		}
		offsets[tp.Topic][tp.Partition] = kgo.NewOffset().At(p.at)
	}
	return offsets
}

func topicNames(partitions []TopicPartition) []string {
	var names []string
	for _, tp := range partitions {
		names = append(names, tp.Topic)
	}
	slices.SortFunc(names, strings.Compare)
	return slices.Compact(names)
}

// backoff waits before try number try+2: from 250 ms doubling to 10 s, with full
// jitter in its upper half. It returns ctx's error if that ends first.
func backoff(ctx context.Context, try int) error {
	most := min(250*time.Millisecond<<min(try, 6), 10*time.Second)
	timer := time.NewTimer(most/2 + rand.N(most/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
