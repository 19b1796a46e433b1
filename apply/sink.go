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
	"odastream/stream"
)

// consumer is where records come from: a *stream.GroupConsumer, or in Once a
// *stream.DirectConsumer.
type consumer interface {
	Poll(ctx context.Context, limit int, wait time.Duration) ([]stream.Span, error)
	Current(span stream.Span) bool
	Reseek(ctx context.Context, partitions []stream.TopicPartition) error
	Pause(partitions ...stream.TopicPartition)
	Resume(partitions ...stream.TopicPartition)
	Commit(ctx context.Context, next map[stream.TopicPartition]int64)
	Behind() []string
	State() (partitions []stream.PartitionState, trouble string)
	RefreshEnds(ctx context.Context) error
}

// store is where changes go. Apply is one transaction: rows, dead letters and
// offsets, all or nothing.
type store interface {
	Apply(ctx context.Context, b cache.Batch) (cache.Result, error)
	offsets
}

// offsets are the truth about how far each partition is applied (Invariant 2).
type offsets interface {
	Positions(ctx context.Context) (map[cache.TopicPartition]cache.Position, error)
	Reset(ctx context.Context, tp cache.TopicPartition, was, now cache.Position) error
}

// deadLetters takes what cannot be applied; acknowledged when it returns.
type deadLetters interface {
	DeadLetter(ctx context.Context, letters ...stream.DeadLetter) error
}

// Parts are what a Sink works with.
type Parts struct {
	Store       store       // where changes go; a *cache.Store
	DeadLetters deadLetters // takes what cannot be applied; Letters
	Rebuilder   rebuilder   // asked where an offset is older than its topic keeps deletes; a *rebuild.Rebuilder
}

// Sink applies the topics to the cache. Make it with New; it runs once, with Run
// or with Once.
type Sink struct {
	cfg       Config
	kafka     stream.Config
	opts      []kgo.Opt
	store     store
	letters   deadLetters
	rebuilder rebuilder
	log       *slog.Logger
	reg       prometheus.Registerer
	metrics   *metrics
	state     *state

	consumer consumer
	public   atomic.Pointer[consumer] // consumer, for Ready and Status
	queue    chan task
	turn     chan struct{} // held by a transaction, and by a hand-over of partitions
	parked   parking

	giveUp    time.Duration // how long an outage is borne: for ever, or in Once onceFor
	onceFor   time.Duration
	probe     time.Duration // how long the database may take to show that it is there
	handover  time.Duration // how long a rebalance waits for a transaction
	shortWait time.Duration // of retries: the first, and the longest
	longWait  time.Duration
	lookEvery time.Duration // at the topics' ends and the stored offsets
}

// How long things may take.
const (
	onceGiveUp   = 30 * time.Second
	probeTime    = 5 * time.Second
	handoverTime = 5 * time.Second
	graceTime    = 8 * time.Second // for the transaction in flight when told to stop
	watchEvery   = 10 * time.Second
)

// New makes a sink that reads the topics of kafka. opts go to the Kafka client.
// Nothing is connected yet.
func New(cfg Config, kafka stream.Config, parts Parts, log *slog.Logger, reg prometheus.Registerer, opts ...kgo.Opt) *Sink {
	return &Sink{
		cfg: cfg, kafka: kafka, opts: opts, store: parts.Store, letters: parts.DeadLetters, rebuilder: parts.Rebuilder, log: log, reg: reg,
		metrics: newMetrics(reg), state: newState(),
		queue: make(chan task, 1), turn: make(chan struct{}, 1),
		giveUp: math.MaxInt64, onceFor: onceGiveUp, probe: probeTime, handover: handoverTime,
		shortWait: 250 * time.Millisecond, longWait: 30 * time.Second, lookEvery: watchEvery,
	}
}

// Run joins the group and applies what comes until ctx ends; then it lets the
// transaction in flight end, gives the partitions back and returns nil. Outages
// of Kafka or Postgres show in Ready and are waited for. An error means that a
// person is needed.
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

// Once takes all partitions itself, applies everything up to the topics' ends as
// they stand now, and returns nil; also when ctx ends. Topics left behind are
// named by a *LeftBehindError or a *stream.StuckError.
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

// watch keeps lag and reachability of the brokers up to date for Ready and Status,
// and looks whether somebody moved the offsets.
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
		s.metrics.lags(s.Status())
	}
}

func (s *Sink) refresh(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, watchEvery/2)
	defer cancel()
	if err := s.consumer.RefreshEnds(asked); err != nil && ctx.Err() == nil {
		s.log.Debug("topics' ends not read", "err", err)
	}
}

// audit compares the stored offsets with what this sink has written, and has
// partitions read again that somebody else has moved. A partition without new
// records would otherwise not notice that the database was restored from a backup,
// and keep the gap until a restart.
func (s *Sink) audit(ctx context.Context) {
	select {
	case s.turn <- struct{}{}: // no transaction is in flight, so the two must agree
	default:
		return
	}
	defer func() { <-s.turn }()
	asked, cancel := context.WithTimeout(ctx, watchEvery/2)
	defer cancel()
	held, err := s.store.Positions(asked)
	if err != nil {
		return // an outage is work's to tell
	}
	moved := s.moved(held)
	if len(moved) == 0 {
		return
	}
	s.log.Warn("stored offsets were moved by another writer, reading from them", "partitions", len(moved))
	s.metrics.moved.Add(float64(len(moved)))
	// It takes its time where a topic has to be looked through first.
	if err := s.consumer.Reseek(ctx, moved); err != nil {
		s.log.Warn("offsets not read again, trying once more", "err", err)
		return
	}
	s.state.forget(moved)
}

// moved names the owned partitions whose stored offset is another than expected.
func (s *Sink) moved(held map[cache.TopicPartition]cache.Position) (moved []stream.TopicPartition) {
	for _, topic := range s.Status().Topics {
		for _, p := range topic.Partitions {
			tp := stream.TopicPartition{Topic: topic.Topic, Partition: p.Partition}
			pos, known := held[cache.TopicPartition(tp)]
			if known && pos.Next != p.Next || !known && !s.state.untouched(tp) {
				moved = append(moved, tp)
			}
		}
	}
	return moved
}

func (s *Sink) groupConfig() stream.GroupConfig {
	return stream.GroupConfig{ConsumerConfig: s.consumerConfig(), Group: s.cfg.Group, Revoked: s.revoked}
}

func (s *Sink) consumerConfig() stream.ConsumerConfig {
	return stream.ConsumerConfig{
		Positions:  s.store.Positions,
		Reset:      s.store.Reset,
		Aged:       s.deleteAbsent,
		FetchBytes: fetchBytes(s.cfg.BatchBytes),
	}
}

// fetchBytes is how much a broker sends ahead: records are compressed on their way,
// to a tenth as a rule, and lie unpacked in memory, so that a quarter of a batch is
// more than one.
func fetchBytes(batch Bytes) int32 {
	return int32(min(max(batch/4, 1<<20), 64<<20))
}

// delay is the wait before try number try+2: doubling from shortWait to longWait,
// with jitter in its upper half, so that sinks do not come back all at once.
func (s *Sink) delay(try int) time.Duration {
	most := s.longWait
	if try < 16 {
		most = min(s.shortWait<<try, s.longWait)
	}
	return most/2 + rand.N(most/2+1)
}

// grace gives a context that ends some time after ctx, or with cancel.
func grace(ctx context.Context, extra time.Duration) (late context.Context, cancel context.CancelFunc) {
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = pause.For(late, extra)
		end()
	})
	return late, func() { stop(); end() }
}
