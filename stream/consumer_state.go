package stream

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// PartitionState is one partition as a Consumer sees it.
type PartitionState struct {
	TopicPartition
	Start   int64  // offset at which reading began when it was assigned or sought
	Read    int64  // offset of the next record to hand out
	End     int64  // the topic's end when last heard of
	Trouble string // why it gives no records; "" if nothing is wrong
}

// State gives the partitions owned, by name, and what keeps the consumer as a
// whole from its work: "" if nothing does.
func (c *Consumer) State() (partitions []PartitionState, trouble string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tp, p := range c.parts {
		partitions = append(partitions, PartitionState{TopicPartition: tp, Start: p.start, Read: p.at, End: max(p.end, p.at), Trouble: p.trouble})
	}
	slices.SortFunc(partitions, func(a, b PartitionState) int {
		if n := strings.Compare(a.Topic, b.Topic); n != 0 {
			return n
		}
		return int(a.Partition - b.Partition)
	})
	if c.unreachable != nil {
		return partitions, c.unreachable.Error()
	}
	if _, generation := c.cl.GroupMetadata(); c.trouble == "" && !c.direct && generation < 0 {
		return partitions, "not in group " + c.cc.Group + " yet: brokers not reached, or no topic " + c.cfg.TopicPrefix + "* exists"
	}
	return partitions, c.trouble
}

// RefreshEnds asks the brokers where the owned topics end, for State: fetches
// tell it only of partitions that have news. It also finds out whether the brokers
// answer at all, which a fetch that waits does not tell.
func (c *Consumer) RefreshEnds(ctx context.Context) error {
	err := Ping(ctx, c.cl, c.cfg)
	c.setUnreachable(err)
	if err != nil {
		return err
	}
	owned, _ := c.State()
	var all []TopicPartition
	for _, p := range owned {
		all = append(all, p.TopicPartition)
	}
	topics := topicNames(all)
	if len(topics) == 0 {
		return nil
	}
	ends, err := c.adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("look up end offsets: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = ""
	for tp, p := range c.parts {
		if end, ok := ends.Lookup(tp.Topic, tp.Partition); ok && end.Err == nil {
			p.end = max(p.end, end.Offset)
		}
	}
	return nil
}

func (c *Consumer) setUnreachable(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unreachable = err
}

// Why reading went on elsewhere than the store's offset said.
const (
	resetRecreated  = "recreated"
	resetOutOfRange = "out_of_range"
	resetDataLoss   = "data_loss"
	resetAged       = "aged"
)

type consumerMetrics struct {
	resets *prometheus.CounterVec
}

func newConsumerMetrics(reg prometheus.Registerer) *consumerMetrics {
	m := &consumerMetrics{
		resets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_consumer_resets_total",
			Help: "Partitions read from elsewhere than the stored offset: topic recreated, offset out_of_range, broker's data_loss; or looked through from the start: offset aged.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{resetRecreated, resetOutOfRange, resetDataLoss, resetAged} {
		m.resets.WithLabelValues(reason)
	}
	if reg != nil {
		reg.MustRegister(m.resets)
	}
	return m
}
