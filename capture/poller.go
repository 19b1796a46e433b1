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
	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// onceAtATime is how many entities `poller --once` works on at once, in load
// order.
const onceAtATime = 8

// Parts are what a Poller works with. All are required but Workers.
type Parts struct {
	Source    source
	Publisher publisher
	Topics    topics
	Store     store
	Prober    prober                     // nil: the source is taken on trust until a page breaks the rules
	TopicName func(entity string) string // as the publisher names topics
	Workers   int                        // ranges of one entity read at once; 0 is 1
}

// Poller follows entities. One Run or Once at a time.
type Poller struct {
	cfg       Config
	source    source
	publisher publisher
	topics    topics
	store     store
	prober    prober
	contract  contract
	topicName func(entity string) string
	workers   int
	log       *slog.Logger
	metrics   *metrics
	clock     *sourceClock
	pace      pace
	share     *share
	wakers    map[string]chan struct{} // by entity
	patience  time.Duration            // before a second look at what vanished
	holder    string
	entities  []*entityStatus // in load order
}

// New makes a Poller of entities. reg takes its metrics.
func New(cfg Config, entities []schema.Entity, parts Parts, log *slog.Logger, reg prometheus.Registerer) *Poller {
	p := &Poller{
		cfg: cfg, source: parts.Source, publisher: parts.Publisher, topics: parts.Topics, store: parts.Store, prober: parts.Prober,
		topicName: parts.TopicName, workers: max(parts.Workers, 1),
		log: log, metrics: newMetrics(reg), clock: &sourceClock{}, share: newShare(), wakers: map[string]chan struct{}{},
		patience: secondLook, holder: holderName(),
	}
	for _, e := range entities {
		status := &entityStatus{EntityStatus: EntityStatus{Entity: e.Name, Expected: -1}}
		status.enter(stateWaiting, nil)
		p.entities = append(p.entities, status)
		p.wakers[e.Name] = make(chan struct{}, 1)
	}
	return p
}

// holderName is unique to the process and tells a person where it runs.
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

// Run follows all entities until ctx ends and returns nil then. An entity that
// fails backs off alone; only that the topics cannot be made ends Run.
func (p *Poller) Run(ctx context.Context) error {
	if err := p.topics.Ensure(ctx, p.names()); ctx.Err() != nil {
		return nil // told to stop
	} else if err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(func() { p.keepShare(ctx) })
	all.Go(func() { p.keepProbing(ctx) })
	for _, e := range p.entities {
		all.Go(func() { p.keepFollowing(ctx, e) })
	}
	all.Wait()
	return nil
}

// keepFollowing works on one entity, session after session, while it is this
// poller's.
func (p *Poller) keepFollowing(ctx context.Context, e *entityStatus) {
	pause := p.cfg.Interval
	for ctx.Err() == nil {
		mine, changed := p.share.mine(e.Entity, p.holder)
		if !mine {
			e.enter(stateWaiting, errElsewhere)
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
			pause = p.cfg.Interval // it went well for long
		}
		p.report(ctx, e, err, pause)
		if held, ok := errors.AsType[*checkpoint.HeldError](err); ok {
			_ = wait(ctx, min(p.cfg.Lease/3, held.For+time.Millisecond)) // its error is the loop's condition
			continue
		}
		_ = wait(ctx, jittered(pause)) // as above
		pause = min(2*pause, p.cfg.IntervalMax)
	}
}

// errElsewhere is why a poller leaves an entity alone.
var errElsewhere = errors.New("another poller's share")

func (p *Poller) followWhileMine(ctx context.Context, e *entityStatus) error {
	ctx, cancel := p.whileMine(ctx, e.Entity)
	defer cancel()
	return p.work(ctx, e, follow)
}

// work takes the entity's lease, works under it and gives it back.
func (p *Poller) work(ctx context.Context, e *entityStatus, work task) error {
	if err := p.contract.honoured(e.Entity); err != nil {
		return err
	}
	lease, err := p.store.Acquire(ctx, e.Entity, p.holder, p.cfg.Lease)
	if err != nil {
		return err
	}
	err = p.runSession(ctx, lease, e, work)
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	// A release that is lost costs the next holder one lease's time, no more.
	if released := p.store.Release(release, lease); released != nil {
		p.log.Warn("lease not given back: it runs out by itself", "entity", e.Entity, "error", released)
	}
	return err
}

// report says once why an entity is not being worked on.
func (p *Poller) report(ctx context.Context, e *entityStatus, err error, pause time.Duration) {
	var held *checkpoint.HeldError
	switch {
	case errors.As(err, &held):
		if e.snapshot().Reason == "" {
			p.log.Info("another poller works on the entity: waiting", "entity", e.Entity, "holder", held.Holder)
		}
		e.enter(stateWaiting, err)
	case errors.Is(err, oda.ErrNotFound) && p.neverHad(ctx, e.Entity):
		p.log.Warn("source has no such entity", "entity", e.Entity, "again_in", pause, "error", err)
		e.enter(stateAbsent, err)
	case err != nil:
		p.metrics.failures.WithLabelValues(e.Entity).Inc()
		p.log.Warn("entity backs off", "entity", e.Entity, "again_in", pause, "error", err)
		e.enter(stateFailed, err)
	}
}

// Once makes the first load of each entity that has none, one tail pass and the
// scans that are due, and returns when all of it is published and saved. The error
// joins those of the entities left behind, each by its name. An entity that the
// source has never had is no error.
func (p *Poller) Once(ctx context.Context) error {
	if err := p.topics.Ensure(ctx, p.names()); err != nil {
		return err
	}
	p.probe(ctx)
	failures := make([]error, len(p.entities))
	var group errgroup.Group
	group.SetLimit(onceAtATime)
	for i, e := range p.entities {
		group.Go(func() error {
			failures[i] = p.oneEntity(ctx, e)
			return nil
		})
	}
	return errors.Join(group.Wait(), errors.Join(failures...))
}

// oneEntity is Once for one entity. A lease held by another is waited for twice
// its length.
func (p *Poller) oneEntity(ctx context.Context, e *entityStatus) error {
	deadline := time.Now().Add(2 * p.cfg.Lease)
	for {
		err := p.work(ctx, e, once)
		var held *checkpoint.HeldError
		switch {
		case err == nil && ctx.Err() == nil:
			e.enter(stateDone, nil)
			return nil
		case err == nil:
			return fmt.Errorf("%s: stopped before its end: %w", e.Entity, context.Cause(ctx))
		case errors.As(err, &held) && time.Now().Before(deadline):
			p.report(ctx, e, err, held.For)
			if err := wait(ctx, min(held.For+time.Millisecond, p.cfg.Lease)); err != nil {
				return fmt.Errorf("%s: %w", e.Entity, err)
			}
		case errors.Is(err, oda.ErrNotFound) && p.neverHad(ctx, e.Entity):
			p.report(ctx, e, err, 0)
			return nil
		default:
			e.enter(stateFailed, err)
			return fmt.Errorf("%s: %w", e.Entity, err)
		}
	}
}

// neverHad tells whether an entity that the source lacks was absent always: it was
// not while so much as one row of it is known, also of a topic that is gone.
func (p *Poller) neverHad(ctx context.Context, entity string) bool {
	at, err := p.store.Load(ctx, entity)
	if err != nil || !at.LoadedAt.IsZero() {
		return false
	}
	rows, err := p.store.Count(ctx, entity)
	return err == nil && rows == 0
}

var (
	_ publisher = (*stream.Publisher)(nil)
	_ topics    = (*stream.Topics)(nil)
	_ source    = (*oda.Client)(nil)
	_ store     = (*checkpoint.Store)(nil)
)
