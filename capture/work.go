package capture

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/oda"
)

// once is the work of `poller --once`: the first load if there was none, one tail
// pass with the whole look-back, and a scan if one is due.
func once(ctx context.Context, s *session, at checkpoint.Checkpoint) error {
	t, err := s.newTail(ctx, at)
	if err != nil {
		return err
	}
	if s.scanDue(at) {
		s.status.enter(s.scanState(), nil)
		if err := s.scan(ctx, at); err != nil {
			return err
		}
	}
	s.status.enter(stateFollowing, nil)
	if t.resume != nil { // its bounds are of the past: what came since is for a pass of our own
		if err := t.pass(ctx, s.cfg.Overlap); err != nil {
			return err
		}
	}
	if err := t.pass(ctx, s.cfg.Overlap); err != nil {
		return err
	}
	return t.future(ctx)
}

// follow is the work of the daemon: the tail for ever, and beside it a scan
// whenever one is due, the first load among them.
func follow(ctx context.Context, s *session, at checkpoint.Checkpoint) error {
	t, err := s.newTail(ctx, at)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.run(ctx) })
	group.Go(func() error { return s.runScans(ctx, at) })
	return group.Wait()
}

// newTail makes the tail. Before a first load the watermark is saved first, so
// that the tail sees what changes while the first range is read.
func (s *session) newTail(ctx context.Context, at checkpoint.Checkpoint) (*tail, error) {
	if err := s.clock.set(ctx, s.source, s.entity); err != nil {
		return nil, err
	}
	t := &tail{session: s, watermark: at.Watermark, resume: at.Pass}
	if !t.watermark.IsZero() {
		return t, nil
	}
	// An entity that the source lacks must not get a watermark.
	if _, err := s.source.Extent(ctx, s.entity, oda.Tail); err != nil {
		return nil, err
	}
	t.watermark = s.clock.at(time.Now())
	return t, s.settled(ctx, checkpoint.Progress{Watermark: t.watermark, WallClock: oda.Wall(t.watermark)})
}

// run looks at the entity again and again, at Interval while it changes and ever
// more slowly while it rests.
func (t *tail) run(ctx context.Context) error {
	pause := t.cfg.Interval
	for {
		before := t.status.published()
		if err := t.step(ctx); err != nil {
			return err
		}
		t.status.followed(t.watermark)
		pause = min(2*pause, t.cfg.IntervalMax)
		if t.status.published() != before {
			pause = t.cfg.Interval
		}
		if err := wait(ctx, jittered(pause)); err != nil {
			return err
		}
	}
}

// runScans makes the first load and then a scan each ScanEvery.
func (s *session) runScans(ctx context.Context, at checkpoint.Checkpoint) error {
	for {
		if s.scanDue(at) {
			s.status.enter(s.scanState(), nil)
			if err := s.scan(ctx, at); err != nil {
				return err
			}
			at = checkpoint.Checkpoint{LoadedAt: time.Now(), ScannedAt: time.Now()}
		}
		s.status.enter(stateFollowing, nil)
		if s.cfg.ScanEvery == 0 {
			return nil
		}
		if err := wait(ctx, time.Until(at.ScannedAt.Add(s.cfg.ScanEvery))); err != nil {
			return err
		}
	}
}

// scanDue tells whether the entity is to be read whole now: it never was, a scan
// was interrupted, or the last one is ScanEvery ago.
func (s *session) scanDue(at checkpoint.Checkpoint) bool {
	if at.LoadedAt.IsZero() || len(at.Ranges) > 0 {
		return true
	}
	return s.cfg.ScanEvery > 0 && time.Since(at.ScannedAt) >= s.cfg.ScanEvery
}

func (s *session) scanState() state {
	if s.loaded.Load() {
		return stateScanning
	}
	return stateLoading
}

// jittered spreads pauses by a tenth, so that entities do not keep step.
func jittered(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1)) //nolint:gosec // no secret depends on it
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
