package stream

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// assign tells the client where to read partitions that the group has just given
// us. It runs beside polls and heartbeats, so it waits for a store that is away
// instead of leaving the group. With the next rebalance ctx ends; the client then
// asks again for the partitions that are still ours.
func (c *GroupConsumer) assign(ctx context.Context, given map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
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

// revoke forgets partitions first, so that nothing more of them is handed out,
// and then lets the owner of the work in flight end it.
func (c *GroupConsumer) revoke(ctx context.Context, lost map[string][]int32) {
	<-c.built
	var gone []TopicPartition
	for topic, partitions := range lost {
		for _, p := range partitions {
			gone = append(gone, TopicPartition{Topic: topic, Partition: p})
		}
	}
	if len(gone) == 0 {
		return
	}
	owned := c.disown(gone)
	c.lookups.forget(gone...)
	c.Resume(gone...)
	if c.gc.Revoked != nil {
		c.gc.Revoked(ctx, gone)
	}
	c.log.Info("partitions given up", "partitions", len(gone), "owned", owned)
}

// startOver makes the client forget topics that were deleted and made anew: it
// holds on to the old id. The pattern finds them again, and assign sees the new id.
func (c *GroupConsumer) startOver(topics []string) {
	if len(topics) == 0 {
		return
	}
	slices.Sort(topics)
	topics = slices.Compact(topics)
	c.log.Error("topics were made anew", "topics", topics)
	c.disownTopics(topics)
	c.lookups.forgetTopics(topics)
	c.cl.AllowRebalance() // the purge waits for a rebalance
	c.cl.PurgeTopicsFromConsuming(topics...)
}
