package capture

import (
	"context"
	"errors"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

const (
	// nearLookBack is how far behind the watermark each pass looks: one job of the
	// source spreads its stamps over a fraction of a second, and a pass may land in it.
	nearLookBack = 5 * time.Second
	// wideEvery is how many passes go by between two that look POLL_OVERLAP back, and
	// how many of those between two that look back as far as rows were ever late. It
	// is also the part of such a look-back that may go by before the next one, however
	// few passes that are: else a row that comes late to an entity at rest would be
	// behind the next wide pass already.
	wideEvery = 5
	// ahead is how far past the source's now a pass asks.
	ahead = time.Minute
	// boundSlack is taken off the lower bound: the source may compare stamps in
	// ticks of 1/300 s, which their texts round.
	boundSlack = 10 * time.Millisecond
	// narrowest is the shortest window asked of a source that times out on longer ones.
	narrowest = time.Second
)

// tail follows an entity by its stamps.
type tail struct {
	*session
	watermark time.Time
	resume    *checkpoint.Pass // a pass that a former session did not finish
	passes    int
	width     time.Duration // longest window that the source answers; 0: any
	short     bool          // the last pass was cut short by width: what came since is not seen
	wideAt    time.Time     // source's time when a pass last looked Overlap back
	lateAt    time.Time     // and when one looked lateBack back
	lateBack  time.Duration
	futureAt  time.Time // when what lies ahead was last read
}

// pass reads all that is stamped since the watermark, less the look-back, and
// moves the watermark to the moment at which it began.
func (t *tail) pass(ctx context.Context, lookBack time.Duration) error {
	p := t.resume
	if p == nil {
		planned, err := t.plan(lookBack)
		if err != nil {
			return err
		}
		p = &planned
	}
	t.resume = nil
	err := t.readPass(ctx, p)
	if errors.Is(err, oda.ErrTimeout) && (t.near(lookBack) || t.narrow(p)) {
		return t.pass(ctx, nearLookBack)
	}
	if err != nil {
		return err
	}
	t.width *= 2
	return t.settled(ctx, checkpoint.Progress{Watermark: p.Goal, WallClock: oda.Wall(p.Goal)})
}

// plan fixes the bounds of a pass. Instants are subtracted and texts compared, so
// that the hour that the Danish clock shows twice is read whole.
func (t *tail) plan(lookBack time.Duration) (checkpoint.Pass, error) {
	now := t.clock.at(time.Now())
	from, goal, until := t.watermark.Add(-lookBack), now, now.Add(ahead)
	end := t.watermark.Add(t.width)
	if t.short = t.width > 0 && end.Before(now); t.short {
		goal, until = end, end
	}
	if until.Before(from) { // the source's clock went back: look at what it stamps now
		from = until.Add(-lookBack)
	}
	after, err := oda.ShiftWall(oda.EarliestWall(from, until), -boundSlack)
	return checkpoint.Pass{After: after, Until: oda.LatestWall(from, until), Goal: goal, LastID: schema.BeforeFirst}, err
}

// readPass reads page after page, by id inside fixed bounds: ties and rows that
// move while they are read make no difference to it.
func (t *tail) readPass(ctx context.Context, p *checkpoint.Pass) error {
	for {
		r, err := t.read(ctx, oda.Window{After: p.After, Until: p.Until, IDs: schema.IDsAbove(p.LastID)}, oda.Tail, schema.OriginTail)
		if err != nil {
			return err
		}
		if !r.more {
			t.recent.end(r.began)
			t.moved(p.Goal)
			return nil
		}
		p.LastID = r.last
		at := *p
		r.progress.Pass = &at
		if err := t.submit(ctx, r); err != nil {
			return err
		}
	}
}

// near tells whether a pass that the source could not answer in time can do with a
// shorter look-back.
func (t *tail) near(lookBack time.Duration) bool {
	if lookBack <= nearLookBack {
		return false
	}
	t.log.Warn("source did not answer in time: looking back less far, what is late is left to the scan", "look_back", lookBack)
	return true
}

// narrow halves the window of a pass that the source could not answer in time. It
// is false when that is no use any more: the rest is left to the scan.
func (t *tail) narrow(p *checkpoint.Pass) bool {
	width := p.Goal.Sub(t.watermark) / 2
	if t.width > 0 {
		width = min(width, t.width/2)
	}
	if width < narrowest {
		return false
	}
	t.log.Warn("source did not answer in time: asking for a shorter window", "window", width)
	t.width = width
	return true
}

// future reads what is stamped beyond what a pass asks for. It is published and
// moves no watermark.
func (t *tail) future(ctx context.Context) error {
	now := t.clock.at(time.Now())
	w := oda.Window{After: oda.LatestWall(now.Add(-ahead), now.Add(ahead)), IDs: schema.AllIDs()}
	for {
		r, err := t.read(ctx, w, oda.Tail, schema.OriginTail)
		if err != nil {
			return err
		}
		if !r.more {
			t.recent.end(r.began)
			t.futureAt = time.Now()
			return t.settled(ctx, checkpoint.Progress{})
		}
		w.IDs.Low = r.last
		if err := t.submit(ctx, r); err != nil {
			return err
		}
	}
}

// catchUp makes passes until one has seen all that there is.
func (t *tail) catchUp(ctx context.Context, lookBack time.Duration) error {
	for {
		if err := t.pass(ctx, lookBack); err != nil || !t.short {
			return err
		}
		lookBack = nearLookBack
	}
}

// finishFormer brings the pass of a former session to its end. Its bounds are of
// the past: what came since, and what came late, is for a pass of our own.
func (t *tail) finishFormer(ctx context.Context) error {
	if t.resume == nil {
		return nil
	}
	return t.pass(ctx, nearLookBack)
}

// step is one look at the entity as a daemon takes it.
func (t *tail) step(ctx context.Context) error {
	if err := t.finishFormer(ctx); err != nil {
		return err
	}
	lookBack, err := t.lookBack(ctx)
	if err != nil {
		return err
	}
	if err := t.pass(ctx, lookBack); err != nil {
		return err
	}
	t.passes++
	if time.Since(t.futureAt) < ahead {
		return nil
	}
	return t.future(ctx)
}

// lookBack is the next pass's, one of three tiers.
func (t *tail) lookBack(ctx context.Context) (back time.Duration, err error) {
	now := t.clock.at(time.Now())
	switch {
	case t.passes%(wideEvery*wideEvery) == 0 || now.Sub(t.lateAt) >= t.lateBack/wideEvery:
		t.lateBack, err = t.lateLookBack(ctx)
		t.lateAt, t.wideAt = now, now
		return t.lateBack, err
	case t.passes%wideEvery == 0 || now.Sub(t.wideAt) >= t.cfg.Overlap/wideEvery:
		t.wideAt = now
		return t.cfg.Overlap, nil
	}
	return nearLookBack, nil
}

// moved takes note of a watermark that is about to be saved.
func (t *tail) moved(to time.Time) {
	t.watermark = later(t.watermark, to)
	t.behind.Store(t.watermark.UnixMicro())
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
