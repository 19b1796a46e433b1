package capture

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
)

// drainTime is how long after a stop the pages that were read before may still be
// published and saved.
const drainTime = 8 * time.Second

// session is the work on one entity under one lease, until the first error or the
// end.
type session struct {
	entity    string
	store     store
	publisher publisher
	lease     *leaseKeeper
	status    *entityStatus
	loaded    *atomic.Bool // the first load is complete: a new row is a create from then on
	folder    *folder
	writer    *writer
	repairer  *repairer
	tail      *tail
	scanner   *scanner
}

// task is what a session does while its writer runs.
type task func(ctx context.Context, s *session, at checkpoint.Checkpoint) error

// newSession connects the parts of a session.
func (p *Poller) newSession(lease checkpoint.Lease, status *entityStatus) *session {
	entity, log := lease.Entity, p.log.With("entity", lease.Entity)
	s := &session{
		entity: entity, store: p.store, publisher: p.publisher, status: status, loaded: new(atomic.Bool),
		lease: &leaseKeeper{leases: p.store, ttl: p.cfg.Lease, lease: lease},
	}
	seq, recent := new(seqClock), newRecent()
	reader := &reader{entity: entity, source: p.source, seq: seq, recent: recent, clock: p.clock, pace: p.pace}
	s.folder = &folder{
		entity: entity, topics: p.topics, store: p.store, burier: p.publisher, lease: s.lease, seq: seq, metrics: p.metrics, log: log,
	}
	s.writer = p.newWriter(s, reader, seq)
	s.repairer = &repairer{entity: entity, store: p.store, reader: reader, writer: s.writer, log: log}
	s.tail = &tail{
		entity: entity, cfg: p.cfg, reader: reader, writer: s.writer,
		lookBacks: &lookBacks{entity: entity, overlap: p.cfg.Overlap, scanEvery: p.cfg.ScanEvery, store: p.store, status: status},
		clock:     p.clock, pace: p.pace, status: status, log: log, woken: p.wakers[entity],
	}
	s.scanner = &scanner{
		entity: entity, cfg: p.cfg, workers: p.workers, store: p.store, lease: s.lease, seq: seq, clock: p.clock,
		reader: reader, writer: s.writer, repairer: s.repairer,
		rechecker: &rechecker{
			entity: entity, store: p.store, seq: seq, recent: recent, reader: reader, writer: s.writer, delay: p.recheckDelay, log: log,
		},
		loaded: s.loaded, status: status, metrics: p.metrics, log: log,
	}
	return s
}

// newWriter connects the parts of the session's writer.
func (p *Poller) newWriter(s *session, reader *reader, seq *seqClock) *writer {
	saver := &saver{
		entity: s.entity, store: p.store, lease: s.lease, metrics: p.metrics, status: s.status, loaded: s.loaded,
		wakeRelated: func() { p.wakers.wakeRelated(s.entity) }, queue: make(chan compared),
	}
	comparer := &comparer{
		entity: s.entity, ledger: p.store, seq: seq, recent: reader.recent, loaded: s.loaded, unsaved: saver.pending, vanished: map[int64]bool{},
	}
	return &writer{
		queue: make(chan message, queuedMessages), reader: reader, recent: reader.recent, folder: s.folder, saver: saver,
		comparer: comparer,
		rereader: &rereader{reader: reader, recent: reader.recent, comparer: comparer, delay: p.recheckDelay, log: s.folder.log},
		sender: &sender{
			entity: s.entity, topic: p.topicName(s.entity), publisher: p.publisher, lease: s.lease, metrics: p.metrics,
			queue: make(chan compared), saver: saver, rejected: map[[32]byte]bool{},
		},
	}
}

// run folds, repairs and does work, under the lease. What was read until work
// returns is published and saved, also if ctx has ended.
func (s *session) run(ctx context.Context, work task) error {
	// The writer and the lease outlive ctx, so that a stop loses nothing read.
	leased, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainTime, stop) })()
	keeping := make(chan error, 1)
	go func() {
		err := s.lease.run(leased)
		if err != nil {
			stop()
		}
		keeping <- err
	}()
	err := s.runLeased(ctx, leased, work)
	stop()
	if lost := <-keeping; lost != nil {
		err = lost // the cause of the other error
	}
	return err
}

// runLeased is run within the lease: leased ends with the lease, ctx when the
// process is told to stop.
func (s *session) runLeased(ctx, leased context.Context, work task) error {
	at, err := s.begin(leased)
	if err != nil {
		return err
	}
	group, working := errgroup.WithContext(leased)
	reading, cancel := context.WithCancel(working)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	// The writer's context is leased: an error of a reader loses nothing read before.
	group.Go(func() error { return s.writer.run(leased) })
	group.Go(func() error {
		defer s.writer.close()
		err := s.repairer.repair(reading)
		if err == nil {
			err = work(reading, s, at)
		}
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil // told to stop
		}
		return err
	})
	return group.Wait()
}

// begin folds the topic and returns the checkpoint to go on from.
func (s *session) begin(ctx context.Context) (checkpoint.Checkpoint, error) {
	s.status.enter(StateFolding, nil)
	at, err := s.store.Load(ctx, s.entity)
	if err != nil {
		return at, err
	}
	acked, at, err := s.folder.fold(ctx, at)
	if err != nil {
		return at, err
	}
	vanished, err := s.store.VanishedRows(ctx, s.entity)
	if err != nil {
		return at, err
	}
	for _, v := range vanished {
		s.writer.comparer.vanished[v.ID] = true
	}
	s.writer.sender.acked = acked
	s.loaded.Store(!at.LoadedAt.IsZero())
	s.status.begin(at.ConsistentThrough)
	if len(acked.at) > 0 {
		s.publisher.Expect(s.entity, len(acked.at))
	}
	return at, nil
}

// once is the task of `poller --once`: the first load if there was none, the passes
// of the tail, and a scan if one is due.
func once(ctx context.Context, s *session, at checkpoint.Checkpoint) error {
	if err := s.tail.start(ctx, at); err != nil {
		return err
	}
	heldBack, err := s.scanner.once(ctx, at)
	if err != nil {
		return err
	}
	s.status.enter(StateFollowing, nil)
	if err := s.tail.once(ctx); err != nil || heldBack == nil {
		return err
	}
	return heldBack
}

// follow is the task of the daemon: the tail for ever, and beside it a scan whenever
// one is due, the first load among them.
func follow(ctx context.Context, s *session, at checkpoint.Checkpoint) error {
	if err := s.tail.start(ctx, at); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.tail.run(ctx) })
	group.Go(func() error { return s.scanner.run(ctx, at) })
	return group.Wait()
}
