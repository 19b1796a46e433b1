package capture

import (
	"slices"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
)

// lateBounds returns the bounds of the histogram. The last one is for all above.
func lateBounds() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{
		time.Second, 5 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute,
		30 * time.Minute, time.Hour, 6 * time.Hour, day, 7 * day, 3650 * day,
	}
}

// lateRows counts the rows of a batch that were found behind the watermark.
type lateRows struct{ list []checkpoint.Lateness }

// add counts a row with this stamp if it is behind the watermark (microseconds
// since 1970) at which it was read. A stamp in the hour that the clock shows twice
// counts as the later one.
func (l *lateRows) add(stamp string, watermark int64) {
	if stamp == "" || watermark == 0 {
		return
	}
	_, stamped, err := oda.ParseWall(stamp)
	if err != nil {
		return
	}
	late := time.UnixMicro(watermark).Sub(stamped)
	if late <= 0 {
		return
	}
	bounds := lateBounds()
	at, _ := slices.BinarySearch(bounds, late)
	l.count(checkpoint.Lateness{Bound: bounds[min(at, len(bounds)-1)], Rows: 1, Worst: late})
}

// merge adds the rows that other counts.
func (l *lateRows) merge(other lateRows) {
	for _, late := range other.list {
		l.count(late)
	}
}

// count adds rows of one bound.
func (l *lateRows) count(late checkpoint.Lateness) {
	i := slices.IndexFunc(l.list, func(have checkpoint.Lateness) bool { return have.Bound == late.Bound })
	if i < 0 {
		l.list = append(l.list, late)
		return
	}
	l.list[i].Rows += late.Rows
	l.list[i].Worst = max(l.list[i].Worst, late.Worst)
}
