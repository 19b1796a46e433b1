package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrEnd is returned by Poll of a consumer from NewDirectConsumer once every
// record up to the ends of the topics has been handed out.
var ErrEnd = errors.New("every topic is read up to its end")

// ErrClosed is returned by Poll after Close.
var ErrClosed = errors.New("consumer is closed")

// ConsumerConfig says what a Consumer reads and where it begins.
type ConsumerConfig struct {
	// Group is the consumer group, and the group of the offsets committed for lag
	// displays. Required.
	Group string
	// Positions gives the offsets that the store holds. It is asked at every
	// assignment, since another member may have moved them. Required.
	Positions func(ctx context.Context) (map[TopicPartition]Position, error)
	// Reset moves the store's offset of a partition that has to be read from its
	// start: its topic was made anew, or no longer holds the offset. Its error means
	// that nothing changed; all is looked up and tried again. Required.
	Reset func(ctx context.Context, tp TopicPartition, was, now Position) error
	// Aged is called before a partition is read on from an offset that is older than
	// its topic keeps deletes: some of those that lie behind it may be gone. It has to
	// find the rows that they were of. With its error all is looked up and tried
	// again. Nil: age means nothing.
	Aged func(ctx context.Context, topic string) error
	// Revoked is called before partitions go to another member, and no record of
	// them is handed out after it began. It may take a few seconds to let work in
	// flight end; the group waits. Nil: nothing to wait for.
	Revoked func(ctx context.Context, partitions []TopicPartition)
	// FetchBytes bounds what one broker sends ahead of Poll. 0: 16 MiB.
	FetchBytes int32
	// Refresh is how often new topics are looked for. 0: 5 s.
	Refresh time.Duration
	// Session is how long the group waits for a member that went silent, at least
	// the broker's group.min.session.timeout.ms. 0: 10 s.
	Session time.Duration
}

// Consumer hands out the records of all topics with the configured prefix, dead
// letters apart, from the offsets that a store holds. Its methods are safe for
// concurrent use, but only one goroutine may call Poll.
type Consumer struct {
	cfg     Config
	cc      ConsumerConfig
	log     *slog.Logger
	cl      *kgo.Client
	adm     *kadm.Client
	metrics *consumerMetrics
	direct  bool
	admin   *kgo.Client // of a direct consumer: a fetch on cl would wait behind cl's own

	built chan struct{} // closed once cl is set: the group calls back before NewClient returns
	heard time.Time     // when a direct consumer last got on; Poll's alone

	lookups lookups // of what the group has given us and is not read yet

	mu          sync.Mutex
	parts       map[TopicPartition]*partition
	seeks       map[TopicPartition]int64
	generation  uint64
	trouble     string // why the group gives nothing; "" if it does
	unreachable error  // what RefreshEnds heard
}

// partition is what a Consumer knows of a partition that it owns.
type partition struct {
	topicID    [16]byte
	next       int64 // the offset that the store will hold once all spans handed out are applied
	start      int64 // the offset at which reading began
	at         int64 // the offset at which reading goes on
	end        int64 // the high watermark last seen
	goal       int64 // where a direct consumer stops
	generation uint64
	trouble    string
}

// NewConsumer joins the group; it returns an error for bad settings only, and
// keeps trying to reach the brokers in the background. Partitions are taken over
// cooperatively, and rebalances go on while nobody polls. Close it after use.
func NewConsumer(cfg Config, cc ConsumerConfig, log *slog.Logger, reg prometheus.Registerer, opts ...kgo.Opt) (*Consumer, error) {
	c := newConsumer(cfg, cc, log, reg)
	cl, err := NewClient(cfg, log, append(c.groupOptions(), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("join group %s: %w", cc.Group, err)
	}
	c.cl, c.adm = cl, kadm.NewClient(cl)
	close(c.built)
	return c, nil
}

func newConsumer(cfg Config, cc ConsumerConfig, log *slog.Logger, reg prometheus.Registerer) *Consumer {
	if cc.FetchBytes == 0 {
		cc.FetchBytes = 16 << 20
	}
	if cc.Refresh == 0 {
		cc.Refresh = 5 * time.Second
	}
	if cc.Session == 0 {
		cc.Session = 10 * time.Second
	}
	c := &Consumer{
		cfg: cfg, cc: cc, log: log, metrics: newConsumerMetrics(reg),
		parts: map[TopicPartition]*partition{}, seeks: map[TopicPartition]int64{},
		built: make(chan struct{}), heard: time.Now(),
	}
	c.lookups = lookups{find: c.locate, pending: map[TopicPartition]*lookup{}}
	return c
}

// groupOptions asks for every topic with the prefix by a pattern, so that topics
// made later are found, whichever of the 50 entities, or unknown one, they hold.
func (c *Consumer) groupOptions() []kgo.Opt {
	revoked := func(ctx context.Context, _ *kgo.Client, lost map[string][]int32) { c.revoke(ctx, lost) }
	return append(c.fetchOptions(),
		kgo.ConsumerGroup(c.cc.Group),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.ConsumeRegex(),
		kgo.ConsumeTopics("^"+regexp.QuoteMeta(c.cfg.TopicPrefix)),
		kgo.ConsumeExcludeTopics(regexp.QuoteMeta(deadLetterSuffix)+"$"),
		kgo.BlockRebalanceOnPoll(),
		kgo.DisableAutoCommit(),
		kgo.AdjustFetchOffsetsFn(c.assign),
		kgo.OnPartitionsRevoked(revoked),
		kgo.OnPartitionsLost(revoked),
		kgo.SessionTimeout(c.cc.Session),
		kgo.HeartbeatInterval(c.cc.Session/4),
		kgo.RebalanceTimeout(3*c.cc.Session),
		kgo.MetadataMaxAge(c.cc.Refresh),
		kgo.MetadataMinAge(min(c.cc.Refresh, time.Second)),
	)
}

func (c *Consumer) fetchOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.FetchMaxBytes(c.cc.FetchBytes),
		kgo.FetchMaxPartitionBytes(max(c.cc.FetchBytes/4, 1<<20)),
		// An offset outside its topic goes to the topic's start, and nowhere else:
		// what was applied already changes nothing, what was skipped is lost.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
}

// Current tells whether s is still this consumer's to apply: its partition has
// not been given away or sought since s was handed out.
func (c *Consumer) Current(s Span) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.parts[s.TopicPartition]
	return p != nil && p.generation == s.generation
}

// Pause stops fetching the partitions until Resume, also across rebalances. What
// was fetched but not handed out is dropped and fetched again.
func (c *Consumer) Pause(partitions ...TopicPartition) {
	if len(partitions) > 0 {
		c.cl.PauseFetchPartitions(byTopic(partitions))
	}
}

// Resume ends Pause; partitions that are not paused are left alone.
func (c *Consumer) Resume(partitions ...TopicPartition) {
	if len(partitions) > 0 {
		c.cl.ResumeFetchPartitions(byTopic(partitions))
	}
}

// Commit tells Kafka how far the store has come. Only lag displays read it
// (Invariant 2), so nobody waits for it and its errors are logged at debug.
func (c *Consumer) Commit(ctx context.Context, next map[TopicPartition]int64) {
	if c.direct {
		return
	}
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for tp, offset := range next {
		if offsets[tp.Topic] == nil {
			offsets[tp.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	c.cl.CommitOffsets(context.WithoutCancel(ctx), offsets, c.committed)
}

// closeWithin bounds the wait for a broker that may be away; the group then
// finds out by itself after the session's time.
const closeWithin = 2 * time.Second

// Close leaves the group, so that others take over at once, and ends Poll and what
// is being looked up.
func (c *Consumer) Close() {
	c.cl.AllowRebalance()
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	if err := c.cl.LeaveGroupContext(ctx); err != nil {
		c.log.Debug("group not left", "group", c.cc.Group, "err", err)
	}
	c.cl.CloseAllowingRebalance()
	c.lookups.close()
	if c.admin != nil {
		c.admin.Close()
	}
}

func byTopic(partitions []TopicPartition) map[string][]int32 {
	topics := map[string][]int32{}
	for _, tp := range partitions {
		topics[tp.Topic] = append(topics[tp.Topic], tp.Partition)
	}
	return topics
}
