package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// ErrEnd is returned by Poll of a DirectConsumer once every record up to the ends of
// the topics has been handed out.
var ErrEnd = errors.New("every topic is read up to its end")

// DirectConsumer hands out the records of all topics with the configured prefix,
// dead letters apart, from the offsets that a store holds up to the topics' ends. It
// takes all partitions itself, without a group. Its methods are safe for concurrent
// use, but only one goroutine may call Poll.
type DirectConsumer struct {
	*reader

	admin      *kgo.Client // separate, because a request would wait behind the fetches of cl
	progressed time.Time   // when it last made progress; used by Poll only
}

// NewDirectConsumer looks up the topics and their current ends. It returns an error if
// the store or the brokers cannot be reached. Close it after use.
func NewDirectConsumer(ctx context.Context, cfg Config, cc ConsumerConfig, log *slog.Logger, reg prometheus.Registerer, opts ...kgo.Opt) (*DirectConsumer, error) {
	admin, err := NewClient(cfg, log, opts...)
	if err != nil {
		return nil, err
	}
	c := &DirectConsumer{reader: newReader(cfg, cc, log, newConsumerMetrics(reg)), admin: admin, progressed: time.Now()}
	if err := c.open(ctx, cc, opts); err != nil {
		admin.Close()
		return nil, err
	}
	return c, nil
}

func (c *DirectConsumer) open(ctx context.Context, cc ConsumerConfig, opts []kgo.Opt) error {
	if err := Ping(ctx, c.admin, c.cfg); err != nil {
		return err
	}
	c.use(nil, c.admin)
	want, err := c.everyPartition(ctx)
	if err != nil {
		return err
	}
	found, err := c.starts.find(ctx, want)
	if err != nil {
		return fmt.Errorf("find start offsets: %w", err)
	}
	for _, p := range found {
		p.stopAt = p.end
	}
	c.own(found)
	all := append(cc.fetchOptions(), kgo.ConsumePartitions(kgoOffsets(found)))
	c.cl, err = NewClient(c.cfg, c.log, append(all, opts...)...)
	return err
}

func (c *DirectConsumer) everyPartition(ctx context.Context) ([]schema.TopicPartition, error) {
	details, err := c.adm.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var all []schema.TopicPartition
	for name, topic := range details {
		if !strings.HasPrefix(name, c.cfg.TopicPrefix) || strings.HasSuffix(name, deadLetterSuffix) {
			continue
		}
		if topic.Err != nil {
			return nil, fmt.Errorf("look up topic %s: %w", name, topic.Err)
		}
		for p := range topic.Partitions {
			all = append(all, schema.TopicPartition{Topic: name, Partition: p})
		}
	}
	return all, nil
}

// Poll waits up to wait for records, at most limit of them, and hands them out
// in spans. It returns no span and no error if none came in time. The error is that of
// ctx, ErrClosed, ErrEnd or *StuckError. Errors of brokers are retried; State shows
// them.
func (c *DirectConsumer) Poll(ctx context.Context, limit int, wait time.Duration) ([]Span, error) {
	if c.ended() {
		return nil, ErrEnd
	}
	spans, recreated, err := c.poll(ctx, limit, wait)
	if err != nil {
		return nil, err
	}
	return spans, c.checkProgress(ctx, len(spans) > 0, recreated)
}

// Commit does nothing: without a group there is no lag display.
func (c *DirectConsumer) Commit(context.Context, map[schema.TopicPartition]int64) {}

// Close ends Poll.
func (c *DirectConsumer) Close() {
	c.cl.Close()
	c.admin.Close()
}

// Behind names the topics of which not everything up to their end has been
// handed out.
func (c *DirectConsumer) Behind() []string {
	return topicNames(c.unread())
}

func (c *DirectConsumer) unread() []schema.TopicPartition {
	c.mu.Lock()
	defer c.mu.Unlock()
	var unread []schema.TopicPartition
	for tp, p := range c.parts {
		if p.at < p.stopAt {
			unread = append(unread, tp)
		}
	}
	slices.SortFunc(unread, func(a, b schema.TopicPartition) int { return strings.Compare(a.String(), b.String()) })
	return unread
}

func (c *DirectConsumer) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seeks) == 0 && !slices.ContainsFunc(c.values(), func(p *partition) bool { return p.at < p.stopAt })
}

func (c *DirectConsumer) values() []*partition {
	all := make([]*partition, 0, len(c.parts))
	for _, p := range c.parts {
		all = append(all, p)
	}
	return all
}
