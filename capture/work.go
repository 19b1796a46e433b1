package capture

import (
	"context"
	"errors"
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
	held, err := s.scanOnce(ctx, at)
	if err != nil {
		return err
	}
	s.status.enter(stateFollowing, nil)
	if err := t.finishFormer(ctx); err != nil {
		return err
	}
	lookBack, err := t.lateLookBack(ctx)
	if err != nil {
		return err
	}
	if err := t.catchUp(ctx, lookBack); err != nil {
		return err
	}
	if err := t.future(ctx); err != nil || held == nil {
		return err
	}
	return held
}

// scanOnce makes the scan that is due. One that a former process began is brought
// to its end, and where what that one had read is older than ScanEvery by now,
// followed by one of our own.
func (s *session) scanOnce(ctx context.Context, at checkpoint.Checkpoint) (held *HeldBackError, err error) {
	for s.scanDue(at) {
		if held, err = s.scanNow(ctx, at); err != nil {
			return nil, err
		}
		if len(at.Ranges) == 0 || !s.cfg.scanDue(s.clock.at(time.Now()).Sub(at.ScanBegan)) {
			break
		}
		at.Ranges = nil
	}
	return held, nil
}

// scanNow scans, and tells what was held back from what went wrong.
func (s *session) scanNow(ctx context.Context, at checkpoint.Checkpoint) (held *HeldBackError, err error) {
	s.status.enter(s.scanState(), nil)
	err = s.scan(ctx, at)
	if errors.As(err, &held) {
		return held, nil
	}
	return nil, err
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
	t := &tail{session: s, resume: at.Pass}
	if !at.Watermark.IsZero() {
		t.moved(at.Watermark)
		return t, nil
	}
	// An entity that the source lacks must not get a watermark.
	if _, err := s.source.Extent(ctx, s.entity, oda.Tail); err != nil {
		return nil, err
	}
	t.moved(s.clock.at(time.Now()))
	return t, s.settled(ctx, checkpoint.Progress{Watermark: t.watermark, WallClock: oda.Wall(t.watermark)})
}

// run looks at the entity again and again, at Interval while it or a related one
// changes and ever more slowly while it rests. A source that grows slow is asked
// less often.
func (t *tail) run(ctx context.Context) error {
	pause, woken := t.cfg.Interval, t.wakers[t.entity]
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
		timer := time.NewTimer(jittered(t.pace.stretch(pause)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		case <-woken:
			timer.Stop()
			pause = t.cfg.Interval
		}
	}
}

// askAgain is how often the store is asked whether a person wants a scan.
const askAgain = 30 * time.Second

// runScans makes the first load and then a scan each ScanEvery, or when a person
// asks for one.
func (s *session) runScans(ctx context.Context, at checkpoint.Checkpoint) error {
	for {
		var reason error
		if s.scanDue(at) {
			held, err := s.scanNow(ctx, at)
			if err != nil {
				return err
			}
			if held != nil {
				s.log.Error("deletes are held back", "rows", held.Rows, "error", held)
				reason = held
			}
		}
		s.status.enter(stateFollowing, reason)
		var err error
		if at, err = s.nextScan(ctx); err != nil {
			return err
		}
	}
}

// nextScan waits until a scan is due and returns the checkpoint that says so.
func (s *session) nextScan(ctx context.Context) (checkpoint.Checkpoint, error) {
	for {
		if err := wait(ctx, askAgain); err != nil {
			return checkpoint.Checkpoint{}, err
		}
		at, err := s.store.Load(ctx, s.entity)
		if err != nil || s.scanDue(at) {
			return at, err
		}
	}
}

// scanDue tells whether the entity is to be read whole now: it never was, a scan
// was interrupted, a person asked for one, or the last one is ScanEvery ago.
func (s *session) scanDue(at checkpoint.Checkpoint) bool {
	if at.LoadedAt.IsZero() || at.ScannedAt.IsZero() || at.ScanRequested || len(at.Ranges) > 0 {
		return true
	}
	return s.cfg.scanDue(time.Since(at.ScannedAt))
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
