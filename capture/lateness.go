package capture

import (
	"context"
	"slices"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
)

// lateDays is how long the worst lateness seen counts.
const lateDays = 30

// lateBounds are the histogram's, the last one for all above.
func lateBounds() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{
		time.Second, 5 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute,
		30 * time.Minute, time.Hour, 6 * time.Hour, day, 7 * day, 3650 * day,
	}
}

// lateRows counts the rows of a batch that turned up behind the watermark.
type lateRows struct{ list []checkpoint.Lateness }

// add counts a row with this stamp, read when the watermark stood at behind
// (microseconds since 1970). A stamp of the hour that comes twice counts as the
// later one.
func (l *lateRows) add(stamp string, behind int64) {
	if stamp == "" || behind == 0 {
		return
	}
	_, stamped, err := oda.ParseWall(stamp)
	if err != nil {
		return
	}
	late := time.UnixMicro(behind).Sub(stamped)
	if late <= 0 {
		return
	}
	bounds := lateBounds()
	at, _ := slices.BinarySearch(bounds, late)
	bound := bounds[min(at, len(bounds)-1)]
	i := slices.IndexFunc(l.list, func(have checkpoint.Lateness) bool { return have.Bound == bound })
	if i < 0 {
		i = len(l.list)
		l.list = append(l.list, checkpoint.Lateness{Bound: bound})
	}
	l.list[i].Rows++
	l.list[i].Worst = max(l.list[i].Worst, late)
}

// lateLookBack is the third tier of the look-back: twice the worst lateness of the
// last 30 days, at most ScanEvery, which finds what is later still.
func (t *tail) lateLookBack(ctx context.Context) (time.Duration, error) {
	seen, err := t.store.LateRows(ctx, t.entity, lateDays)
	if err != nil {
		return 0, err
	}
	t.status.late(seen)
	back := t.cfg.Overlap
	for _, l := range seen {
		back = max(back, 2*l.Worst)
	}
	if t.cfg.ScanEvery > 0 {
		back = min(back, max(t.cfg.ScanEvery, t.cfg.Overlap))
	}
	return back, nil
}
