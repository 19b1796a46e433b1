package apply

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"odastream/cache"
	"odastream/internal/pause"
	"odastream/schema"
	"odastream/stream"
)

// consumer is where records come from: a *stream.GroupConsumer, or in Once a
// *stream.DirectConsumer.
type consumer interface {
	Poll(ctx context.Context, limit int, wait time.Duration) ([]stream.Span, error)
	Current(span stream.Span) bool
	Reseek(ctx context.Context, partitions []schema.TopicPartition) error
	Pause(partitions ...schema.TopicPartition)
	Resume(partitions ...schema.TopicPartition)
	Commit(ctx context.Context, next map[schema.TopicPartition]int64)
	Behind() []string
	State() (partitions []stream.PartitionState, trouble string)
	RefreshEnds(ctx context.Context) error
}

// store is where changes go. Apply is one transaction: rows, dead letters and
// offsets, all or nothing.
type store interface {
	Apply(ctx context.Context, b cache.Batch) (cache.Result, error)
	CanWrite(ctx context.Context) error
	offsets
}

// offsets are the stored offsets: how far each partition is applied (Invariant 2).
type offsets interface {
	Positions(ctx context.Context) (map[schema.TopicPartition]schema.Position, error)
	Reset(ctx context.Context, tp schema.TopicPartition, was, now schema.Position) error
}

// deadLetters writes dead letters; they are acknowledged when it returns.
type deadLetters interface {
	DeadLetter(ctx context.Context, letters ...stream.DeadLetter) error
}

// Parts are what a Sink works with.
type Parts struct {
	Store       store       // where changes go; a *cache.Store
	DeadLetters deadLetters // writes dead letters; a DeadLetterWriter
	Rebuilder   rebuilder   // for offsets older than their topic keeps deletes; a *rebuild.Rebuilder
}

// Sink applies the topics to the cache. Make it with New; it runs once, with Run
// or with Once.
type Sink struct {
	cfg         Config
	kafka       stream.Config
	opts        []kgo.Opt
	store       store
	deadLetters deadLetters
	rebuilder   rebuilder
	log         *slog.Logger
	reg         prometheus.Registerer
	metrics     *metrics
	state       *state

	consumer consumer
	public   atomic.Pointer[consumer] // consumer, for Ready and Status
	queue    chan task
	writing  chan struct{} // one element: held by a transaction, or by a hand-over of partitions
	paused   pausedTopics

	giveUp    time.Duration // how long an outage may last: no limit, or onceFor in Once
	onceFor   time.Duration
	probe     time.Duration // how long the database may take to answer a probe
	handover  time.Duration // how long a rebalance waits for a transaction
	shortWait time.Duration // of retries: the first, and the longest
	longWait  time.Duration
	lookEvery time.Duration // how often the topics' ends and the stored offsets are read
}

// Time limits.
const (
	onceGiveUp   = 30 * time.Second
	probeTime    = 5 * time.Second
	handoverTime = 5 * time.Second
	graceTime    = 8 * time.Second // for the transaction in flight when ctx ends
	watchEvery   = 10 * time.Second
)

// New returns a sink that reads the topics of kafka. opts are passed to the Kafka
// client. It does not connect.
func New(cfg Config, kafka stream.Config, parts Parts, log *slog.Logger, reg prometheus.Registerer, opts ...kgo.Opt) *Sink {
	return &Sink{
		cfg: cfg, kafka: kafka, opts: opts, store: parts.Store, deadLetters: parts.DeadLetters, rebuilder: parts.Rebuilder, log: log, reg: reg,
		metrics: newMetrics(reg), state: newState(),
		queue: make(chan task, 1), writing: make(chan struct{}, 1),
		giveUp: math.MaxInt64, onceFor: onceGiveUp, probe: probeTime, handover: handoverTime,
		shortWait: 250 * time.Millisecond, longWait: 30 * time.Second, lookEvery: watchEvery,
	}
}

// Run joins the group and applies records until ctx ends. It then waits for the
// transaction in flight, leaves the group and returns nil. It waits for Kafka and
// Postgres when they are down, and Ready reports it. An error means that a person
// is needed.
func (s *Sink) Run(ctx context.Context) error {
	consumer, err := stream.NewGroupConsumer(s.kafka, s.groupConfig(), s.log, s.reg, s.opts...)
	if err != nil {
		return err
	}
	defer consumer.Close() //nolint:contextcheck // it leaves the group although ctx has ended
	if err := s.run(ctx, consumer); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Once reads all partitions itself, without a group. It applies everything up to the
// topics' current ends and returns nil, also when ctx ends. A *LeftBehindError or a
// *stream.StuckError names topics that it could not finish.
func (s *Sink) Once(ctx context.Context) error {
	s.giveUp = s.onceFor
	consumer, err := stream.NewDirectConsumer(ctx, s.kafka, s.consumerConfig(), s.log, s.reg, s.opts...)
	if err != nil {
		return err
	}
	defer consumer.Close()
	if err := s.run(ctx, consumer); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

var errDone = errors.New("done")

// run collects, applies and watches until one of the three ends.
func (s *Sink) run(ctx context.Context, consumer consumer) error {
	s.consumer = consumer
	s.public.Store(&consumer)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.collect(ctx); err != nil {
			return err
		}
		return errDone // ends the other two
	})
	g.Go(func() error { return s.work(ctx) })
	g.Go(func() error { return s.watch(ctx) })
	if err := g.Wait(); !errors.Is(err, errDone) {
		return err
	}
	return nil
}

// watch updates the lag and whether brokers and the database answer, for Ready and
// Status, and checks the stored offsets.
func (s *Sink) watch(ctx context.Context) error {
	tick := time.NewTicker(s.lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		s.refresh(ctx)
		s.audit(ctx)
		s.metrics.setLags(s.Status())
	}
}

func (s *Sink) refresh(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, watchEvery/2)
	defer cancel()
	if err := s.consumer.RefreshEnds(asked); err != nil && ctx.Err() == nil {
		s.log.Debug("topics' end offsets cannot be read", "err", err)
	}
}

// audit asks whether the next record could be written, and compares the stored offsets
// with what this sink has written. It reads those partitions again whose offset another
// writer changed. Without it, a partition
// without new records would not notice that the database was restored from a backup,
// and would keep the gap until a restart.
func (s *Sink) audit(ctx context.Context) {
	select {
	case s.writing <- struct{}{}: // no transaction is in flight, so stored and written offsets must agree
	default:
		return
	}
	defer func() { <-s.writing }()
	asked, cancel := context.WithTimeout(ctx, watchEvery/2)
	defer cancel()
	if !s.canWrite(asked) {
		return
	}
	stored, err := s.store.Positions(asked)
	if err != nil {
		return // the next audit reports it
	}
	changed := s.changedOffsets(stored)
	if len(changed) == 0 {
		return
	}
	s.log.Warn("another writer changed stored offsets, reading from them", "partitions", len(changed))
	s.metrics.moved.Add(float64(len(changed)))
	// It takes long where a whole topic has to be read first.
	if err := s.consumer.Reseek(ctx, changed); err != nil {
		s.log.Warn("offsets cannot be read again, retrying", "err", err)
		return
	}
	s.state.drop(changed)
}

// canWrite asks whether the next record could be written. Without it, a sink with
// nothing to write would be ready without a database.
func (s *Sink) canWrite(ctx context.Context) bool {
	err := s.store.CanWrite(ctx)
	if errors.Is(err, context.Canceled) || s.state.outageTime() > 0 {
		return err == nil // work reports outages, and their end
	}
	switch changed := s.state.probed(err); {
	case err != nil && changed:
		s.log.Warn("cache cannot be written; nothing waits to be", "err", err)
	case err == nil && changed:
		s.log.Info("cache can be written again")
	}
	if err != nil {
		s.metrics.outage.Set(1)
		return false
	}
	s.metrics.outage.Set(0)
	return true
}

// changedOffsets returns the owned partitions whose stored offset differs from what
// this sink has written.
func (s *Sink) changedOffsets(stored map[schema.TopicPartition]schema.Position) (changed []schema.TopicPartition) {
	for _, topic := range s.Status().Topics {
		for _, p := range topic.Partitions {
			tp := schema.TopicPartition{Topic: topic.Topic, Partition: p.Partition}
			pos, known := stored[tp]
			if known && pos.Next != p.Next || !known && s.state.hasApplied(tp) {
				changed = append(changed, tp)
			}
		}
	}
	return changed
}

func (s *Sink) groupConfig() stream.GroupConfig {
	return stream.GroupConfig{ConsumerConfig: s.consumerConfig(), Group: s.cfg.Group, Revoked: s.revoked}
}

func (s *Sink) consumerConfig() stream.ConsumerConfig {
	return stream.ConsumerConfig{
		Positions:   s.store.Positions,
		Reset:       s.store.Reset,
		OnOldOffset: s.deleteAbsent,
		FetchBytes:  fetchBytes(s.cfg.BatchBytes),
	}
}

// fetchBytes is how much the client fetches ahead from a broker. Records are
// compressed on the wire, usually to a tenth: a quarter of a batch's bytes unpacks to
// more than one batch.
func fetchBytes(batch Bytes) int32 {
	return int32(min(max(batch/4, 1<<20), 64<<20))
}

// delay is the wait before try number try+2: doubling from shortWait to longWait,
// with jitter in its upper half, so that sinks do not all retry at once.
func (s *Sink) delay(try int) time.Duration {
	most := s.longWait
	if try < 16 {
		most = min(s.shortWait<<try, s.longWait)
	}
	return most/2 + rand.N(most/2+1)
}

// outlive returns a context that ends extra after ctx, or with cancel.
func outlive(ctx context.Context, extra time.Duration) (late context.Context, cancel context.CancelFunc) {
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = pause.For(late, extra)
		end()
	})
	return late, func() { stop(); end() }
}
