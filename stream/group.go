package stream

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// GroupConfig says what a GroupConsumer reads and how it shares the work.
type GroupConfig struct {
	ConsumerConfig

	// Group is the consumer group, and the group of the offsets committed for lag
	// displays. Required.
	Group string
	// Revoked is called before partitions go to another member, and no record of
	// them is handed out after it began. It may take a few seconds to let work in
	// flight end; the group waits. Nil: nothing to wait for.
	Revoked func(ctx context.Context, partitions []TopicPartition)
	// Refresh is how often new topics are looked for. 0: 5 s.
	Refresh time.Duration
	// Session is how long the group waits for a member that went silent, at least
	// the broker's group.min.session.timeout.ms. 0: 10 s.
	Session time.Duration
}

// GroupConsumer hands out the records of the partitions that its consumer group
// gives it, of all topics with the configured prefix, dead letters apart, from the
// offsets that a store holds. Its methods are safe for concurrent use, but only one
// goroutine may call Poll.
type GroupConsumer struct {
	*reader

	gc      GroupConfig
	built   chan struct{} // closed once reader has its client: the group calls back before NewClient returns
	lookups lookups       // of what the group has given us and is not read yet
}

// NewGroupConsumer joins the group; it returns an error for bad settings only, and
// keeps trying to reach the brokers in the background. Partitions are taken over
// cooperatively, and rebalances go on while nobody polls. Close it after use.
func NewGroupConsumer(cfg Config, gc GroupConfig, log *slog.Logger, reg prometheus.Registerer, opts ...kgo.Opt) (*GroupConsumer, error) {
	if gc.Refresh == 0 {
		gc.Refresh = 5 * time.Second
	}
	if gc.Session == 0 {
		gc.Session = 10 * time.Second
	}
	c := &GroupConsumer{reader: newReader(cfg, gc.ConsumerConfig, log, newConsumerMetrics(reg)), gc: gc, built: make(chan struct{})}
	c.lookups = lookups{find: c.starts.find, pending: map[TopicPartition]*lookup{}}
	cl, err := NewClient(cfg, log, append(c.options(), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("join group %s: %w", gc.Group, err)
	}
	c.use(cl, cl)
	close(c.built)
	return c, nil
}

// options asks for every topic with the prefix by a pattern, so that topics
// made later are found, whichever of the 50 entities, or unknown one, they hold.
func (c *GroupConsumer) options() []kgo.Opt {
	revoked := func(ctx context.Context, _ *kgo.Client, lost map[string][]int32) { c.revoke(ctx, lost) }
	return append(c.gc.fetchOptions(),
		kgo.ConsumerGroup(c.gc.Group),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.ConsumeRegex(),
		kgo.ConsumeTopics("^"+regexp.QuoteMeta(c.cfg.TopicPrefix)),
		kgo.ConsumeExcludeTopics(regexp.QuoteMeta(deadLetterSuffix)+"$"),
		kgo.BlockRebalanceOnPoll(),
		kgo.DisableAutoCommit(),
		kgo.AdjustFetchOffsetsFn(c.assign),
		kgo.OnPartitionsRevoked(revoked),
		kgo.OnPartitionsLost(revoked),
		kgo.SessionTimeout(c.gc.Session),
		kgo.HeartbeatInterval(c.gc.Session/4),
		kgo.RebalanceTimeout(3*c.gc.Session),
		kgo.MetadataMaxAge(c.gc.Refresh),
		kgo.MetadataMinAge(min(c.gc.Refresh, time.Second)),
	)
}

// Poll waits up to wait for records, at most limit of them, and hands them out
// in spans. No span and no error: nothing came in time. The error is that of ctx, or
// ErrClosed; trouble with brokers and group passes by itself and shows in State.
func (c *GroupConsumer) Poll(ctx context.Context, limit int, wait time.Duration) ([]Span, error) {
	// Rebalances wait from PollRecords to here: between the two no partition can
	// change hands, so what is handed out is stamped with the right generation.
	defer c.cl.AllowRebalance()
	spans, anew, err := c.poll(ctx, limit, wait)
	if err != nil {
		return nil, err
	}
	c.startOver(anew)
	return spans, nil
}

// Behind is empty: a group's topics are read for ever.
func (c *GroupConsumer) Behind() []string { return nil }

// State gives the partitions owned, by name, and what keeps the consumer as a
// whole from its work: "" if nothing does.
func (c *GroupConsumer) State() (partitions []PartitionState, trouble string) {
	partitions, trouble = c.reader.State()
	if _, generation := c.cl.GroupMetadata(); trouble == "" && generation < 0 {
		trouble = "not in group " + c.gc.Group + " yet: brokers not reached, or no topic " + c.cfg.TopicPrefix + "* exists"
	}
	return partitions, trouble
}

// Commit tells Kafka how far the store has come. Only lag displays read it
// (Invariant 2), so nobody waits for it and its errors are logged at debug.
func (c *GroupConsumer) Commit(ctx context.Context, next map[TopicPartition]int64) {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for tp, offset := range next {
		if offsets[tp.Topic] == nil {
			offsets[tp.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	c.cl.CommitOffsets(context.WithoutCancel(ctx), offsets, c.committed)
}

func (c *GroupConsumer) committed(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
	if err != nil {
		c.log.Debug("offsets not committed to Kafka", "err", err)
	}
}

// closeWithin bounds the wait for a broker that may be away; the group then
// finds out by itself after the session's time.
const closeWithin = 2 * time.Second

// Close leaves the group, so that others take over at once, and ends Poll and what
// is being looked up.
func (c *GroupConsumer) Close() {
	c.cl.AllowRebalance()
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	if err := c.cl.LeaveGroupContext(ctx); err != nil {
		c.log.Debug("group not left", "group", c.gc.Group, "err", err)
	}
	c.cl.CloseAllowingRebalance()
	c.lookups.close()
}
