package capture

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"odastream/checkpoint"
	"odastream/internal/outage"
	"odastream/internal/pause"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// store keeps checkpoints; *checkpoint.Store is one.
type store interface {
	leases
	members
	ledger
	foldStore
	dirtyStore
	progressStore
	scanStore
	vanishedStore
	lateStore
}

// Parts are what a Poller works with. All are required except Prober and Workers.
type Parts struct {
	Source    source
	Publisher publisher
	Topics    topics
	Store     store
	Prober    prober                     // nil: the source is not probed
	TopicName func(entity string) string // the name of an entity's topic, as Publisher has it
	Workers   int                        // ranges of one entity that are read at once; 0 means 1
}

// Poller follows entities. Run and Once must not run at the same time.
type Poller struct {
	cfg          Config
	source       source
	publisher    publisher
	topics       topics
	store        store
	topicName    func(entity string) string
	workers      int
	log          *slog.Logger
	metrics      *metrics
	clock        *sourceClock
	pace         *pace
	contract     *contract
	brokers      *brokers
	share        *share
	wakers       wakers
	recheckDelay time.Duration   // before vanished rows are rechecked
	entities     []*entityStatus // in load order
}

// New returns a Poller of entities. Its metrics are registered with reg.
func New(cfg Config, entities []schema.Entity, parts Parts, log *slog.Logger, reg prometheus.Registerer) *Poller {
	p := &Poller{
		cfg: cfg, source: parts.Source, publisher: parts.Publisher, topics: parts.Topics, store: parts.Store,
		topicName: parts.TopicName, workers: max(parts.Workers, 1),
		log: log, metrics: newMetrics(reg), clock: new(sourceClock), pace: new(pace), recheckDelay: recheckDelay,
		share: newShare(holderName(), parts.Store, cfg.Lease, log),
	}
	for _, e := range entities {
		status := &entityStatus{EntityStatus: EntityStatus{Entity: e.Name, Expected: -1}}
		status.enter(StateWaiting, nil)
		p.entities = append(p.entities, status)
	}
	p.wakers = newWakers(p.names())
	p.brokers = &brokers{topics: parts.Topics, entities: p.names(), every: brokersEvery, log: log}
	p.contract = &contract{prober: parts.Prober, entities: p.names(), log: log}
	return p
}

// holderName returns a name that is unique to the process and tells where it runs.
func holderName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var unique [4]byte
	_, _ = rand.Read(unique[:]) // never fails
	return fmt.Sprintf("%s:%d:%s", host, os.Getpid(), hex.EncodeToString(unique[:]))
}

func (p *Poller) names() []string {
	names := make([]string, len(p.entities))
	for i, e := range p.entities {
		names[i] = e.Entity
	}
	return names
}

// Status returns the progress with each entity.
func (p *Poller) Status() Status {
	status := Status{Holder: p.share.holder, Clock: p.clock.status(time.Now()), Contract: p.contract.findings()}
	for _, e := range p.entities {
		entity := e.snapshot()
		entity.PausedUntil = p.source.PausedUntil(e.Entity).UTC()
		status.Entities = append(status.Entities, entity)
	}
	for _, t := range []outage.Outage{p.brokers.trouble(), p.share.trouble()} {
		if t.Err != nil {
			since := t.Since.UTC()
			status.Reason, status.Since = t.Err.Error(), &since
			break
		}
	}
	status.ConsistentThrough = earliest(status.Entities)
	return status
}

// Ready reports whether Kafka answers and the first load of every entity is complete,
// for those that the source has and that this poller works on. detail is a Readiness.
func (p *Poller) Ready() (ok bool, detail any) {
	status := p.Status()
	behind := Readiness{Reason: status.Reason, Entities: []EntityStatus{}}
	for _, e := range status.Entities {
		switch e.State {
		case StateFollowing, StateScanning, StateWaiting, StateAbsent, StateDone:
		default:
			behind.Entities = append(behind.Entities, e)
		}
	}
	return behind.Reason == "" && len(behind.Entities) == 0, behind
}

// Run follows all entities until ctx ends, and then returns nil. It waits for Kafka when
// it is away, and an entity that fails backs off alone. Run returns an error only if
// brokers refuse to create the topics.
func (p *Poller) Run(ctx context.Context) error {
	if err := p.ensureTopics(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(func() { p.share.keep(ctx) })
	all.Go(func() { p.contract.keepProbing(ctx) })
	all.Go(func() { p.brokers.keepAsking(ctx) })
	for _, e := range p.entities {
		all.Go(func() { p.keepFollowing(ctx, e) })
	}
	all.Wait()
	return nil
}

// ensureTopics tries to create the topics until it can. It returns nil when ctx ends, and
// an error only if brokers refuse it.
func (p *Poller) ensureTopics(ctx context.Context) error {
	pause := p.cfg.Interval
	for {
		err := p.topics.Ensure(ctx, p.names())
		if ctx.Err() != nil {
			return nil
		}
		if stream.IsRefusal(err) {
			return err
		}
		p.brokers.note(err)
		if err == nil {
			return nil
		}
		_ = wait(ctx, jittered(pause)) // the loop checks ctx
		pause = min(2*pause, p.cfg.IntervalMax)
	}
}

// keepFollowing works on one entity, session after session, while it is in this
// poller's share.
func (p *Poller) keepFollowing(ctx context.Context, e *entityStatus) {
	pause := p.cfg.Interval
	for ctx.Err() == nil {
		mine, changed := p.share.mine(e.Entity)
		if !mine {
			e.enter(StateWaiting, errElsewhere)
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		began := time.Now()
		err := p.followWhileMine(ctx, e)
		if err == nil || ctx.Err() != nil {
			continue // told to stop, or to leave the entity to another poller
		}
		if time.Since(began) > p.cfg.IntervalMax {
			pause = p.cfg.Interval // the session went well for long
		}
		p.report(ctx, e, err, pause)
		if held, ok := errors.AsType[*checkpoint.LeaseHeldError](err); ok {
			_ = wait(ctx, min(p.cfg.Lease/3, held.For+time.Millisecond)) // the loop checks ctx
			continue
		}
		_ = wait(ctx, jittered(pause)) // the loop checks ctx
		pause = min(2*pause, p.cfg.IntervalMax)
	}
}

// errElsewhere is the reason of an entity that another poller works on.
var errElsewhere = errors.New("another poller's share")

func (p *Poller) followWhileMine(ctx context.Context, e *entityStatus) error {
	ctx, cancel := p.share.whileMine(ctx, e.Entity)
	defer cancel()
	return p.work(ctx, e, follow)
}

// work acquires the entity's lease, runs a session, and releases the lease.
func (p *Poller) work(ctx context.Context, e *entityStatus, work task) error {
	if err := p.contract.honoured(e.Entity); err != nil {
		return err
	}
	lease, err := p.store.Acquire(ctx, e.Entity, p.share.holder, p.cfg.Lease)
	if err != nil {
		return err
	}
	err = p.newSession(lease, e).run(ctx, work)
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	// If the release fails, the next holder waits until the lease expires.
	if released := p.store.Release(release, lease); released != nil {
		p.log.Warn("lease is not released: it expires by itself", "entity", e.Entity, "err", released)
	}
	return err
}

// report logs and shows why an entity is not being worked on.
func (p *Poller) report(ctx context.Context, e *entityStatus, err error, pause time.Duration) {
	var held *checkpoint.LeaseHeldError
	switch {
	case errors.As(err, &held):
		if e.snapshot().Reason == "" {
			p.log.Info("another poller works on the entity: waiting", "entity", e.Entity, "holder", held.Holder)
		}
		e.enter(StateWaiting, err)
	case errors.Is(err, oda.ErrNotFound) && p.neverHad(ctx, e.Entity):
		p.log.Warn("source has no such entity", "entity", e.Entity, "again_in", pause, "err", err)
		e.enter(StateAbsent, err)
	case err != nil:
		p.metrics.failures.WithLabelValues(e.Entity).Inc()
		p.log.Warn("entity backs off", "entity", e.Entity, "again_in", pause, "err", err)
		e.enter(StateFailed, err)
	}
}

// neverHad reports whether the source has never had the entity: it was never loaded,
// and the ledger has no row of it.
func (p *Poller) neverHad(ctx context.Context, entity string) bool {
	at, err := p.store.Load(ctx, entity)
	if err != nil || !at.LoadedAt.IsZero() {
		return false
	}
	rows, err := p.store.Count(ctx, entity)
	return err == nil && rows == 0
}

// wait returns after d, or with the cause of ctx's end.
func wait(ctx context.Context, d time.Duration) error {
	if pause.For(ctx, d) != nil {
		return context.Cause(ctx)
	}
	return nil
}

var (
	_ publisher = (*stream.Publisher)(nil)
	_ topics    = (*stream.Topics)(nil)
	_ source    = (*oda.Client)(nil)
	_ store     = (*checkpoint.Store)(nil)
)
