package capture

import (
	"context"
	"time"

	"odastream/checkpoint"
)

const (
	// nearLookBack is the look-back of most passes: one job of the source spreads its
	// stamps over a fraction of a second, and a pass may begin in the middle of it.
	nearLookBack = 5 * time.Second
	// wideEvery is the number of passes from one with POLL_OVERLAP as look-back to the
	// next, and the number of those from one with the measured lateness to the next.
	// On an entity at rest passes are few: there the next one is also due when the
	// wideEvery-th part of the look-back has gone by, so that a late row is still
	// within it.
	wideEvery = 5
	// lateDays is how many days the measured lateness goes back.
	lateDays = 30
)

// lateStore is the part of the store that has the measured lateness.
type lateStore interface {
	LateRows(ctx context.Context, entity string, days int) ([]checkpoint.Lateness, error)
}

// lookBacks decides how far each pass of a tail looks back behind the watermark. It
// has three tiers: nearLookBack, POLL_OVERLAP, and the measured lateness.
type lookBacks struct {
	entity             string
	overlap, scanEvery time.Duration
	store              lateStore
	status             *entityStatus

	passes int
	wideAt time.Time // source's time when a pass last looked back by overlap
	lateAt time.Time // and when one last looked back by late
	late   time.Duration
}

// next returns the look-back of the next pass, when the source's time is now.
func (l *lookBacks) next(ctx context.Context, now time.Time) (back time.Duration, err error) {
	switch {
	case l.passes%(wideEvery*wideEvery) == 0 || now.Sub(l.lateAt) >= l.late/wideEvery:
		l.late, err = l.measured(ctx)
		l.lateAt, l.wideAt = now, now
		return l.late, err
	case l.passes%wideEvery == 0 || now.Sub(l.wideAt) >= l.overlap/wideEvery:
		l.wideAt = now
		return l.overlap, nil
	}
	return nearLookBack, nil
}

// measured returns the look-back of the third tier: twice the highest lateness of
// the last lateDays. It is at most SCAN_EVERY, since a scan finds later rows.
func (l *lookBacks) measured(ctx context.Context) (time.Duration, error) {
	rows, err := l.store.LateRows(ctx, l.entity, lateDays)
	if err != nil {
		return 0, err
	}
	l.status.late(rows)
	back := l.overlap
	for _, r := range rows {
		back = max(back, 2*r.Worst)
	}
	if l.scanEvery > 0 {
		back = min(back, max(l.scanEvery, l.overlap))
	}
	return back, nil
}
