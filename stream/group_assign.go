package stream

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// assign returns the start offsets of newly assigned partitions. It runs concurrently
// with polls and heartbeats, so it waits for a store that is down instead of leaving
// the group. The next rebalance ends ctx; the client then calls assign again for the
// partitions that it still has.
func (c *GroupConsumer) assign(ctx context.Context, given map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	<-c.built
	var want []schema.TopicPartition
	for topic, partitions := range given {
		for p := range partitions {
			want = append(want, schema.TopicPartition{Topic: topic, Partition: p})
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
			c.log.Warn("start offsets not found, retrying", "partitions", len(want), "err", err)
		}
		if err := backoff(ctx, try); err != nil {
			return nil, fmt.Errorf("find start offsets: %w", err)
		}
	}
}

// revoke first drops partitions, so that no more of their records are handed out, and
// then calls Revoked, which waits for work in flight.
func (c *GroupConsumer) revoke(ctx context.Context, lost map[string][]int32) {
	<-c.built
	var gone []schema.TopicPartition
	for topic, partitions := range lost {
		for _, p := range partitions {
			gone = append(gone, schema.TopicPartition{Topic: topic, Partition: p})
		}
	}
	if len(gone) == 0 {
		return
	}
	owned := c.disown(gone)
	c.lookups.discard(gone...)
	c.Resume(gone...)
	if c.gc.Revoked != nil {
		c.gc.Revoked(ctx, gone)
	}
	c.log.Info("partitions revoked", "partitions", len(gone), "owned", owned)
}

// startOver makes the client drop topics that were recreated, because it keeps the old
// topic id. The pattern finds them again, and assign gets the new id.
func (c *GroupConsumer) startOver(topics []string) {
	if len(topics) == 0 {
		return
	}
	slices.Sort(topics)
	topics = slices.Compact(topics)
	c.log.Error("topics were recreated", "topics", topics)
	c.disownTopics(topics)
	c.lookups.discardTopics(topics)
	c.cl.AllowRebalance() // the purge waits for a rebalance
	c.cl.PurgeTopicsFromConsuming(topics...)
}
