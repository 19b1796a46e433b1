package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

// drainTime bounds how long readings that were fetched before a stop may take to
// be published and saved.
const drainTime = 8 * time.Second

// session is the work on one entity under one lease: from the fold to the first
// error or the end.
type session struct {
	*Poller
	entity string
	log    *slog.Logger
	lease  *leaseKeeper
	ticks  *ticks
	recent *recent
	status *entityStatus
	queue  chan reading
	loaded atomic.Bool  // the first load is complete: what is new from now on was created
	behind atomic.Int64 // the watermark, in microseconds since 1970; 0: none yet
}

// task is what a session does while its writer runs.
type task func(ctx context.Context, s *session, at checkpoint.Checkpoint) error

// runSession folds, repairs and works until work returns. What was read by then
// is still published and saved, also when ctx has ended.
func (p *Poller) runSession(ctx context.Context, lease checkpoint.Lease, status *entityStatus, work task) error {
	s := &session{
		Poller: p, entity: lease.Entity, log: p.log.With("entity", lease.Entity),
		lease: &leaseKeeper{leases: p.store, ttl: p.cfg.Lease, lease: lease},
		ticks: &ticks{}, recent: newRecent(), status: status, queue: make(chan reading, queuedReadings),
	}
	// The writer and the lease outlive ctx, so that a stop loses nothing fetched.
	held, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainTime, stop) })()
	keeping := make(chan error, 1)
	go func() {
		err := s.lease.run(held)
		if err != nil {
			stop()
		}
		keeping <- err
	}()
	err := s.run(ctx, held, work)
	stop()
	if lost := <-keeping; lost != nil {
		err = lost // the cause of whatever else failed
	}
	return err
}

// run is the session inside its lease: held ends with the lease, ctx with the
// process.
func (s *session) run(ctx, held context.Context, work task) error {
	s.status.enter(stateFolding, nil)
	at, err := s.store.Load(held, s.entity)
	if err != nil {
		return err
	}
	acked, at, err := s.fold(held, at)
	if err != nil {
		return err
	}
	missing, err := s.store.Vanished(held, s.entity)
	if err != nil {
		return err
	}
	s.loaded.Store(!at.LoadedAt.IsZero())
	s.status.begin(at.ConsistentThrough)
	if len(acked.at) > 0 {
		s.publisher.Expect(s.entity, len(acked.at))
	}
	group, working := errgroup.WithContext(held)
	reading, cancel := context.WithCancel(working)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	// The writer runs on held: an error of a reader does not cut off what was read.
	group.Go(func() error { return newWriter(s, acked, missing).run(held) })
	group.Go(func() error {
		defer close(s.queue)
		err := s.repair(reading)
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

// read asks the source for one page.
func (s *session) read(ctx context.Context, w oda.Window, lane oda.Lane, origin schema.Origin) (reading, error) {
	r := reading{span: span{began: s.ticks.next()}, origin: origin, behind: s.behind.Load()}
	s.recent.begin(r.began)
	page, err := s.source.Page(ctx, s.entity, w, lane)
	if err != nil {
		s.recent.end(r.began)
		return reading{}, err
	}
	s.clock.observe(page)
	s.pace.observe(page.Received.Sub(page.Sent))
	r.ended, r.rows, r.rejects = s.ticks.next(), spelled(page.Rows), page.Rejects
	r.more = len(page.Rows)+len(page.Rejects) > 0
	var known bool
	if r.last, known = page.LastID(); r.more && !known {
		s.recent.end(r.began)
		return reading{}, fmt.Errorf("read %s: a page of %d elements holds no id to go on from: %w", s.entity, len(page.Rejects), oda.ErrNotHonoured)
	}
	return r, nil
}

// submit hands a reading to the writer.
func (s *session) submit(ctx context.Context, r reading) error {
	return put(ctx, s.queue, r)
}

// put waits until the queue takes v, or ctx has ended.
func put[T any](ctx context.Context, queue chan<- T, v T) error {
	select {
	case queue <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settled hands progress to the writer and returns once it and all that was
// submitted before it is saved.
func (s *session) settled(ctx context.Context, p checkpoint.Progress) error {
	saved := make(chan struct{})
	if err := s.submit(ctx, reading{progress: p, saved: saved}); err != nil {
		return err
	}
	return closed(ctx, saved)
}

// closed waits until saved is closed, or ctx has ended.
func closed(ctx context.Context, saved <-chan struct{}) error {
	select {
	case <-saved:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
