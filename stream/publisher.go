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

// DeliveryTimeout bounds one round trip of Publish, and PublishTimeout a whole call:
// before a call the lease must have longer to run than that. A delete's tombstone is
// sent in a second round trip.
const (
	DeliveryTimeout = 5 * time.Second
	PublishTimeout  = 2 * DeliveryTimeout
)

// linger is how long the client waits for more records of a batch: long enough for
// one Publish to be one batch a partition.
const linger = time.Millisecond

// zstdFastest is the level zstd.SpeedFastest of the client's codec. Batches of real
// rows take a sixth less time than at the default level, and are 1 % larger.
const zstdFastest = 1

// ErrDataLoss is returned by Publish when the broker lost records that it had
// acknowledged before: the topic must be read again from its start.
var ErrDataLoss = errors.New("broker lost acknowledged records")

// ErrTopicRecreated is returned by Publish when the topic was deleted or recreated
// since it was last written to: its records are lost, and the whole entity must be
// published again.
var ErrTopicRecreated = errors.New("topic was deleted or recreated")

// Ack is the place of a record on its topic.
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
	lost map[string]bool // topics on which the client detected data loss, until returned
}

// NewPublisher returns a publisher with its own client; opts override its settings. reg
// registers the publisher's and the client's metrics; it may be nil. NewPublisher does
// not connect. The caller closes the publisher.
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
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 { return int32(p.limits.limit(topic)) }),
		kgo.ProducerLinger(linger),
		kgo.ProduceRequestTimeout(DeliveryTimeout),
		kgo.RecordDeliveryTimeout(DeliveryTimeout),
		// Without it a record in flight to a broker that does not answer could not be
		// given up within a lease. It can put a record on the topic twice, but only if the
		// caller does not read the topic after an error, as Invariant 8 demands.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.ProducerOnDataLossDetected(p.noteLoss),
	}
	if reg != nil {
		opts = append(opts, kgo.WithHooks(kprom.NewMetrics("odastream_kafka",
			kprom.Registerer(reg), kprom.WithStaticLabel(prometheus.Labels{"client": "publisher"}))))
	}
	return opts
}

// Close abandons unacknowledged records and disconnects.
func (p *Publisher) Close() { p.cl.Close() }

// Ping checks that a broker answers; see the function Ping.
func (p *Publisher) Ping(ctx context.Context) error { return Ping(ctx, p.cl, p.enc.cfg) }

// Expect sets the number of partitions that the entity's topic must have; otherwise
// Publish returns ErrPartitionsChanged. Without Expect the first Publish sets it.
func (p *Publisher) Expect(entity string, partitions int) {
	p.partitions.expect(p.enc.cfg.Topic(entity), partitions)
}

// Publish writes changes and returns when all are acknowledged: an Ack for each
// record, in order (a delete has two, its own and its tombstone's). A change too
// large for the broker is dead-lettered instead (ClassTooLarge), acknowledged
// before Publish returns, and has no Ack.
//
// After an error each change may or may not be on the topic, or arrive there up to
// DeliveryTimeout later. The topic must be read before the entity is published again
// (Invariant 8). A change is sent only after the earlier changes of its key were
// acknowledged, so after an error no later change of a key is on the topic without the
// earlier ones. When ctx ends, Publish returns its error at once.
//
// Errors to branch on: ErrPartitionsChanged (stop the entity), ErrNoTopic and
// ErrTopicRecreated (create the topic, publish the whole entity again), ErrDataLoss. All
// others are the broker's and may be temporary.
func (p *Publisher) Publish(ctx context.Context, changes []schema.Change) ([]Ack, error) {
	start := time.Now()
	// Invariant 4: it ends within the lease, whatever the number of rounds.
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

// takeLoss returns a data loss on any of topics once. The client reports it from
// another goroutine, so it may be returned only by the next Publish.
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
