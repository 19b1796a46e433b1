package capture

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

const (
	// ahead is how far past the source's latest time a pass reads.
	ahead = time.Minute
	// boundSlack is subtracted from the lower bound: the source may compare stamps in
	// ticks of 1/300 s, which their texts round.
	boundSlack = 10 * time.Millisecond
	// minWindow is the shortest window that is tried when the source times out.
	minWindow = time.Second
)

// tail follows an entity by its stamps.
type tail struct {
	entity    string
	cfg       Config
	reader    *reader
	writer    *writer
	lookBacks *lookBacks
	clock     *sourceClock
	pace      *pace
	status    *entityStatus
	log       *slog.Logger
	woken     <-chan struct{} // a related entity has changed

	watermark time.Time
	began     time.Time        // our time when the running pass was planned; zero: by an earlier session
	passed    time.Time        // our time when the last whole pass began that was planned by the right clock; zero: none yet
	saved     *checkpoint.Pass // a pass that an earlier session began; nil if there is none
	window    time.Duration    // the longest that the source answers in time; 0: any
	cut       bool             // the last pass was cut short by window: there is more to read
	futureAt  time.Time        // when rows stamped in the future were last read
}

// start sets the watermark of a tail. Before a first load it is saved first, so that
// the tail sees what changes while the first range is read.
func (t *tail) start(ctx context.Context, at checkpoint.Checkpoint) error {
	if err := t.clock.set(ctx, t.reader.source, t.entity); err != nil {
		return err
	}
	t.saved = at.Pass
	if !at.Watermark.IsZero() {
		t.advance(at.Watermark)
		return nil
	}
	// An entity that the source lacks must not get a watermark.
	if _, err := t.reader.source.Extent(ctx, t.entity, oda.Tail); err != nil {
		return err
	}
	t.advance(t.clock.at(time.Now()))
	return t.writer.flush(ctx, checkpoint.Progress{Watermark: t.watermark, WallClock: oda.Wall(t.watermark)})
}

// run makes pass after pass until ctx ends. It pauses for Interval while the entity
// or a related one changes, for longer while it rests, and for longer while the
// source is slow.
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
		timer := time.NewTimer(jittered(t.pace.slowDown(pause)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		case <-t.woken:
			timer.Stop()
			pause = t.cfg.Interval
		}
	}
}

// step makes the passes of one wake-up of the daemon.
func (t *tail) step(ctx context.Context) error {
	if err := t.finishSaved(ctx); err != nil {
		return err
	}
	lookBack, err := t.lookBacks.next(ctx, t.clock.at(time.Now()))
	if err != nil {
		return err
	}
	if err := t.pass(ctx, lookBack); err != nil {
		return err
	}
	t.lookBacks.passes++
	if time.Since(t.futureAt) < ahead {
		return nil
	}
	return t.readFuture(ctx)
}

// once makes the passes of `poller --once`: all three tiers of the look-back, and
// what is stamped in the future.
func (t *tail) once(ctx context.Context) error {
	if err := t.finishSaved(ctx); err != nil {
		return err
	}
	lookBack, err := t.lookBacks.measured(ctx)
	if err != nil {
		return err
	}
	for {
		if err := t.pass(ctx, lookBack); err != nil {
			return err
		}
		if !t.cut {
			return t.readFuture(ctx)
		}
		lookBack = nearLookBack
	}
}

// finishSaved completes the pass of an earlier session. The bounds of that pass are
// old: a pass with new ones must follow.
func (t *tail) finishSaved(ctx context.Context) error {
	if t.saved == nil {
		return nil
	}
	return t.pass(ctx, nearLookBack)
}

// pass reads all rows stamped since the watermark less the look-back. Then it moves
// the watermark to when the pass began.
func (t *tail) pass(ctx context.Context, lookBack time.Duration) error {
	p := t.saved
	t.began = time.Time{}
	if p == nil {
		planned, err := t.plan(lookBack)
		if err != nil {
			return err
		}
		p = &planned
	}
	t.saved = nil
	err := t.readPass(ctx, p)
	if errors.Is(err, oda.ErrTimeout) && (t.shortenLookBack(lookBack) || t.halveWindow(p)) {
		return t.pass(ctx, nearLookBack)
	}
	if err != nil {
		return err
	}
	t.window *= 2
	return t.writer.flush(ctx, checkpoint.Progress{Watermark: p.Goal, WallClock: oda.Wall(p.Goal)})
}

// plan sets the bounds of a pass. Instants are subtracted and texts are compared, so
// that the hour that the Danish clock shows twice is read whole.
func (t *tail) plan(lookBack time.Duration) (checkpoint.Pass, error) {
	t.began = time.Now()
	now, until := t.clock.at(t.began), t.clock.latest(t.began).Add(ahead)
	if t.window > 0 { // what is stamped between two clocks is left to readFuture
		until = now.Add(ahead)
	}
	from, goal := t.from(t.began).Add(-lookBack), now
	end := t.watermark.Add(t.window)
	if t.cut = t.window > 0 && end.Before(now); t.cut {
		goal, until = end, end
	}
	after, err := oda.ShiftWall(oda.EarliestWall(from, until), -boundSlack)
	return checkpoint.Pass{After: after, Until: oda.LatestWall(from, until), Goal: goal, LastID: schema.NoStart}, err
}

// from returns the time since which a pass must read that begins at our time began: the
// watermark or, if a clock was ahead when that was saved, where the last pass began.
func (t *tail) from(began time.Time) time.Time {
	if !t.passed.IsZero() {
		began = t.passed
	}
	if last := t.clock.at(began); last.Before(t.watermark) {
		return last
	}
	return t.watermark
}

// finish ends a pass that was read whole. If its answers show that a clock was set, it
// was planned by the wrong time: the next one reads from where the one before began.
func (t *tail) finish(p *checkpoint.Pass) {
	if known := t.clock.at(t.began); !t.began.IsZero() && p.Goal.Sub(known) > clocksAgree {
		p.Goal = known
	} else if !t.cut {
		t.passed = t.began
	}
	t.advance(p.Goal)
}

// readPass reads page after page by id, within fixed bounds: rows with equal stamps,
// and rows that get a new stamp meanwhile, make no difference.
//
// No look-back repeats the rows of a pass from further back than POLL_OVERLAP: there an
// empty page must be confirmed.
func (t *tail) readPass(ctx context.Context, p *checkpoint.Pass) error {
	read := t.reader.read
	if p.Goal.Sub(t.watermark) > t.cfg.Overlap {
		read = t.reader.readConfirmed
	}
	for {
		next, err := read(ctx, oda.Window{After: p.After, Until: p.Until, IDs: schema.IDsAbove(p.LastID)}, oda.Tail, schema.OriginTail)
		if err != nil {
			return err
		}
		if next.more {
			p.LastID = next.last
			at := *p
			next.progress.Pass = &at
		}
		if err := t.submit(ctx, next); err != nil {
			return err
		}
		if !next.more {
			t.finish(p)
			return nil
		}
	}
}

// submit submits a page, unless it is empty.
func (t *tail) submit(ctx context.Context, p page) error {
	if p.empty() {
		t.reader.discard(p)
		return nil
	}
	return t.writer.submit(ctx, p)
}

// shortenLookBack reports whether a pass that timed out can be made with a shorter
// look-back.
func (t *tail) shortenLookBack(lookBack time.Duration) bool {
	if lookBack <= nearLookBack {
		return false
	}
	t.log.Warn("source did not answer in time: looking back less far and leaving late rows to the scan", "look_back", lookBack)
	return true
}

// halveWindow halves the window of a pass that timed out. It returns false if the
// window would be too short: then the rows are left to the scan.
func (t *tail) halveWindow(p *checkpoint.Pass) bool {
	window := p.Goal.Sub(t.watermark) / 2
	if t.window > 0 {
		window = min(window, t.window/2)
	}
	if window < minWindow {
		return false
	}
	t.log.Warn("source did not answer in time: asking for a shorter window", "window", window)
	t.window = window
	return true
}

// readFuture reads the rows that are stamped after the time that watermarks follow. They
// are published, and move no watermark.
func (t *tail) readFuture(ctx context.Context) error {
	now := t.clock.at(time.Now())
	w := oda.Window{After: oda.LatestWall(now.Add(-ahead), now.Add(ahead)), IDs: schema.AllIDs()}
	for {
		p, err := t.reader.read(ctx, w, oda.Tail, schema.OriginTail)
		if err != nil {
			return err
		}
		if err := t.submit(ctx, p); err != nil {
			return err
		}
		if !p.more {
			t.futureAt = time.Now()
			return t.writer.flush(ctx, checkpoint.Progress{})
		}
		w.IDs.Low = p.last
	}
}

// advance moves the watermark to a time that is about to be saved. It never moves
// back.
func (t *tail) advance(to time.Time) {
	if to.After(t.watermark) {
		t.watermark = to
	}
	t.reader.watermark.Store(t.watermark.UnixMicro())
}

// jittered shortens a pause by up to a tenth, so that entities do not poll in step.
func jittered(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1)) //nolint:gosec // no secret depends on it
}
