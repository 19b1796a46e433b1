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

	"odastream/schema"
)

// GroupConfig says what a GroupConsumer reads and how it shares the work.
type GroupConfig struct {
	ConsumerConfig

	// Group is the consumer group. Offsets are committed to it for lag displays only.
	// Required.
	Group string
	// Revoked is called before partitions go to another member. No record of them is
	// handed out after the call begins. It may take a few seconds to finish work in
	// flight; the group waits. Nil: nothing to wait for.
	Revoked func(ctx context.Context, partitions []schema.TopicPartition)
	// Refresh is how often new topics are looked for. 0: 5 s.
	Refresh time.Duration
	// Session is the session timeout, at least the broker's
	// group.min.session.timeout.ms. 0: 10 s.
	Session time.Duration
}

// GroupConsumer hands out the records of the partitions that its consumer group
// gives it, of all topics with the configured prefix, dead letters apart, from the
// offsets that a store holds. Its methods are safe for concurrent use, but only one
// goroutine may call Poll.
type GroupConsumer struct {
	*reader

	gc      GroupConfig
	built   chan struct{} // closed once reader has its client: callbacks may run before NewClient returns
	lookups lookups       // of assigned partitions that are not read yet
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
	c.lookups = lookups{find: c.starts.find, pending: map[schema.TopicPartition]*lookup{}}
	cl, err := NewClient(cfg, log, append(c.options(), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("join group %s: %w", gc.Group, err)
	}
	c.use(cl, cl)
	close(c.built)
	return c, nil
}

// options subscribes to every topic with the prefix by a pattern, so that topics
// created later are found, those of unknown entities included.
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
// in spans. It returns no span and no error if none came in time. The error is that of
// ctx, or ErrClosed. Errors of brokers and group are retried; State shows them.
func (c *GroupConsumer) Poll(ctx context.Context, limit int, wait time.Duration) ([]Span, error) {
	// Rebalances are blocked from PollRecords to here, so no partition is reassigned
	// meanwhile, and the spans get the right generation.
	defer c.cl.AllowRebalance()
	spans, recreated, err := c.poll(ctx, limit, wait)
	if err != nil {
		return nil, err
	}
	c.startOver(recreated)
	return spans, nil
}

// Behind returns nil: a group consumer has no end to reach.
func (c *GroupConsumer) Behind() []string { return nil }

// State returns the owned partitions, sorted, and why the whole consumer yields no
// records: "" if nothing is wrong.
func (c *GroupConsumer) State() (partitions []PartitionState, trouble string) {
	partitions, trouble = c.reader.State()
	if _, generation := c.cl.GroupMetadata(); trouble == "" && generation < 0 {
		trouble = "not in group " + c.gc.Group + " yet: brokers not reached, or no topic " + c.cfg.TopicPrefix + "* exists"
	}
	return partitions, trouble
}

// Commit commits the store's offsets to Kafka. Only lag displays read them
// (Invariant 2), so it does not wait, and its errors are logged at debug.
func (c *GroupConsumer) Commit(ctx context.Context, next map[schema.TopicPartition]int64) {
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

// closeWithin bounds the wait for a broker that may be down; the group then removes
// the member after its session timeout.
const closeWithin = 2 * time.Second

// Close leaves the group, so that others take over at once, and ends Poll and running
// look-ups.
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
