package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"

	"odastream/schema"
)

// DeliveryTimeout is the longest that one round trip of Publish may take, and
// PublishTimeout the longest that Publish may take in all, whatever it meets: a
// lease under which one publishes must have longer to run than that. A delete's
// tombstone goes in a second round trip.
const (
	DeliveryTimeout = 5 * time.Second
	PublishTimeout  = 2 * DeliveryTimeout
)

// linger is how long the client waits for more records of a batch: enough for
// one Publish to be one batch a partition.
const linger = time.Millisecond

// zstdFastest is the level zstd.SpeedFastest of the client's codec. Batches of real
// rows take a sixth less time than at the default level, and are 1 % larger.
const zstdFastest = 1

// ErrDataLoss is returned by Publish when the broker lost records that it had
// acknowledged before: the topic must be read again from its start.
var ErrDataLoss = errors.New("broker lost acknowledged records")

// ErrTopicRemade is returned by Publish when the topic was deleted, or made anew,
// since it was last written to: what it held is gone, and the entity must be
// published anew.
var ErrTopicRemade = errors.New("topic was deleted or made anew")

// Ack is where a record stands on its topic.
type Ack struct {
	Partition int32
	Offset    int64
}

// Publisher writes changes and dead letters to topics, with acks=all and
// idempotence. It is safe for concurrent use, as long as no two calls of Publish
// have the same entity at once (the entity's lease sees to that).
type Publisher struct {
	cl         *kgo.Client
	enc        encoder
	log        *slog.Logger
	limits     *limits
	partitions *partitions
	metrics    *publisherMetrics

	mu   sync.Mutex
	lost map[string]bool // topics on which the client met data loss, until told
}

// NewPublisher makes a publisher with a client of its own; opts win over its
// settings. reg takes the publisher's and the client's metrics; nil: none are
// kept. It does not connect. The caller closes it.
func NewPublisher(cfg Config, log *slog.Logger, reg prometheus.Registerer, opts ...kgo.Opt) (*Publisher, error) {
	p := &Publisher{
		enc: newEncoder(cfg), log: log, partitions: newPartitions(),
		limits: &limits{of: map[string]int{}}, lost: map[string]bool{}, metrics: newPublisherMetrics(reg),
	}
	all := append(p.producerOpts(reg), opts...)
	cl, err := NewClient(cfg, log, all...)
	if err != nil {
		return nil, err
	}
	p.cl = cl
	p.limits.read = NewTopics(cl, cfg, log).settings
	return p, nil
}

func (p *Publisher) producerOpts(reg prometheus.Registerer) []kgo.Opt {
	opts := []kgo.Opt{
		// Invariant 1: acknowledged means by all in-sync replicas.
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(p.partitions),
		kgo.ProducerBatchCompression(kgo.ZstdCompression().WithLevel(zstdFastest), kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 { return int32(p.limits.known(topic)) }),
		kgo.ProducerLinger(linger),
		kgo.ProduceRequestTimeout(DeliveryTimeout),
		kgo.RecordDeliveryTimeout(DeliveryTimeout),
		// Without it a record in flight to a broker that has gone silent could be
		// neither given up nor waited for within a lease. What it may cost is a
		// record twice on the topic, and only if the caller did not read the topic
		// after an error, as Invariant 8 tells it to.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.ProducerOnDataLossDetected(p.noteLoss),
	}
	if reg != nil {
		opts = append(opts, kgo.WithHooks(kprom.NewMetrics("odastream_kafka",
			kprom.Registerer(reg), kprom.WithStaticLabel(prometheus.Labels{"client": "publisher"}))))
	}
	return opts
}

// Close gives up what is still unacknowledged and disconnects.
func (p *Publisher) Close() { p.cl.Close() }

// Ping tells whether a broker answers; see Ping of this package.
func (p *Publisher) Ping(ctx context.Context) error { return Ping(ctx, p.cl, p.enc.cfg) }

// Expect sets the number of partitions that the entity's topic must have; with
// another one Publish returns ErrPartitionsChanged. Without Expect it is the
// number found by the first Publish.
func (p *Publisher) Expect(entity string, partitions int) {
	p.partitions.expect(p.enc.cfg.Topic(entity), partitions)
}

// Publish writes changes and returns when all are acknowledged: an Ack for each
// record, in order (a delete has two, its own and its tombstone's). A change too
// large for the broker is dead-lettered instead (ClassTooLarge), acknowledged
// before Publish returns, and has no Ack.
//
// With an error none of the changes may be taken as saved, and none as not
// written: records may be on the topic already, or land there up to
// DeliveryTimeout later. Before the entity is published again its topic must be
// read again (Invariant 8). A change is sent only after the changes of its key
// that stand before it were acknowledged, so an error never lets a later one of
// a key pass an earlier one. That ctx ended is such an error, and Publish
// returns at once then.
//
// Errors to branch on: ErrPartitionsChanged (stop the entity), ErrNoTopic and
// ErrTopicRemade (make it, publish the entity anew), ErrDataLoss; all others are
// the broker's and may pass.
func (p *Publisher) Publish(ctx context.Context, changes []schema.Change) ([]Ack, error) {
	start := time.Now()
	// Invariant 4: however many rounds it takes, it ends within the lease.
	ctx, cancel := context.WithTimeout(ctx, PublishTimeout)
	defer cancel()
	records := p.enc.records(changes...)
	topics := topicsOf(records)
	if err := p.limits.load(ctx, topics); err != nil {
		return nil, fmt.Errorf("publish %d changes: %w", len(changes), err)
	}
	large, err := p.send(ctx, records)
	if err == nil {
		err = p.deadLetterLarge(ctx, large)
	}
	if loss := p.takeLoss(topics); err == nil && loss != nil {
		err = loss
	}
	if err != nil {
		p.metrics.failed.Inc()
		return nil, fmt.Errorf("publish %d changes: %w", len(changes), err)
	}
	p.metrics.published(changes, time.Since(start))
	return acks(records, large), nil
}

func (p *Publisher) noteLoss(topic string, _ int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost[topic] = true
}

// takeLoss tells once of a loss on any of topics. The client tells of it on a
// goroutine of its own, so it may be told with the next Publish only.
func (p *Publisher) takeLoss(topics map[string]bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for topic := range topics {
		if p.lost[topic] {
			delete(p.lost, topic)
			return fmt.Errorf("produce to topic %s: %w", topic, ErrDataLoss)
		}
	}
	return nil
}
