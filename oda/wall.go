package oda

import (
	"fmt"
	"iter"
	"sync"
	"time"
	_ "time/tzdata" // images without zoneinfo need the zone
)

const (
	// wallLayout is the text of a wall-clock instant as queries carry it.
	wallLayout = "2006-01-02T15:04:05.000"
	// wallSeconds is wallLayout up to the whole second: the shortest text.
	wallSeconds = "2006-01-02T15:04:05"
	// maxFraction is the most digits of a fraction.
	maxFraction = 9
)

// zone returns the zone of the source's clock, read once. It is part of the embedded
// tzdata, so reading it fails only if ZONEINFO names a broken file.
var zone = sync.OnceValue(func() *time.Location {
	loc, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		panic("oda: load Europe/Copenhagen: " + err.Error())
	}
	return loc
})

// Wall returns t as the source would write it: Danish wall-clock time without a zone,
// truncated to three decimals. Two instants an hour apart have the same text in
// October.
func Wall(t time.Time) string { return t.In(zone()).Format(wallLayout) }

// EarliestWall returns the lowest wall-clock text that occurs anywhere in [from, to],
// both ends included; their order does not matter. It is lower than the text of either
// end when the clocks go back in between.
func EarliestWall(from, to time.Time) string {
	if to.Before(from) {
		from, to = to, from
	}
	lowest := Wall(from)
	for change := range changes(from, to) {
		lowest = min(lowest, Wall(change))
	}
	return lowest
}

// LatestWall returns the highest wall-clock text that occurs anywhere in [from, to],
// both ends included; their order does not matter. It is higher than the text of either
// end when the clocks go back in between.
func LatestWall(from, to time.Time) string {
	if to.Before(from) {
		from, to = to, from
	}
	highest := Wall(to)
	for change := range changes(from, to) {
		highest = max(highest, Wall(change.Add(-time.Nanosecond)))
	}
	return highest
}

// changes yields the clock changes in (from, to]. Between two changes the wall-clock
// text only grows, so the extremes of a span lie at its ends or next to a change.
func changes(from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		_, end := from.In(zone()).ZoneBounds()
		for !end.IsZero() && !end.After(to) && yield(end) {
			_, end = end.ZoneBounds()
		}
	}
}

// ParseWall returns the earliest and the latest instant that a wall-clock text can
// mean. They differ only in two hours a year. The hour that occurs twice in October
// gives both readings. The hour that March skips gives the readings by the clock after
// and by the clock before the change. Text that is no wall clock, such as one with a
// zone, is an error.
func ParseWall(text string) (earliest, latest time.Time, err error) {
	naive, err := parseNaive(text)
	if err != nil {
		return time.Time{}, time.Time{}, err
	}
	// The two clocks that can be meant: no two changes lie within a day.
	before := reading(naive, naive.Add(-12*time.Hour))
	after := reading(naive, naive.Add(12*time.Hour))
	switch {
	case shows(before, naive) && !shows(after, naive):
		after = before
	case shows(after, naive) && !shows(before, naive):
		before = after
	}
	if after.Before(before) {
		before, after = after, before
	}
	return before, after, nil
}

// reading returns the instant that naive means by the clock in force at ref.
func reading(naive, ref time.Time) time.Time {
	_, offset := ref.In(zone()).Zone()
	return naive.Add(-time.Duration(offset) * time.Second)
}

// shows reports whether the Danish clock shows naive at t.
func shows(t, naive time.Time) bool {
	_, offset := t.In(zone()).Zone()
	return t.Add(time.Duration(offset) * time.Second).Equal(naive)
}

// ShiftWall moves a wall-clock text by d as if its clock had no zone. It is for margins
// around a text, where moving an instant would be wrong. The result is truncated to
// three decimals.
func ShiftWall(text string, d time.Duration) (string, error) {
	naive, err := parseNaive(text)
	if err != nil {
		return "", err
	}
	return naive.Add(d).Format(wallLayout), nil
}

// parseNaive reads a wall-clock text as if it were UTC.
func parseNaive(text string) (time.Time, error) {
	if !isWall(text) {
		return time.Time{}, fmt.Errorf("parse wall clock %q: want one like %s", text, wallLayout)
	}
	naive, err := time.Parse(wallSeconds, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("parse wall clock %q: %w", text, err)
	}
	return naive, nil
}

// isWall reports whether text has the shape of a wall clock: digits and separators in
// their places, then at most maxFraction decimals. Texts of this shape, without
// trailing zeros, sort as their times do.
func isWall[T string | []byte](text T) bool {
	if len(text) < len(wallSeconds) {
		return false
	}
	for i := range len(wallSeconds) {
		want := wallSeconds[i]
		if digit := want >= '0' && want <= '9'; digit != isDigit(text[i]) || !digit && text[i] != want {
			return false
		}
	}
	return isFraction(text[len(wallSeconds):])
}

// isFraction reports whether text is empty, or a point and some decimals.
func isFraction[T string | []byte](text T) bool {
	if len(text) == 0 {
		return true
	}
	if text[0] != '.' || len(text) < 2 || len(text) > 1+maxFraction {
		return false
	}
	for i := 1; i < len(text); i++ {
		if !isDigit(text[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// trimWall removes a fraction's trailing zeros, and a fraction of zeros entirely, as
// the source does: "…34.250" and "…34.25" are the same time.
func trimWall[T string | []byte](text T) T {
	if len(text) <= len(wallSeconds) {
		return text
	}
	end := len(text)
	for text[end-1] == '0' {
		end--
	}
	if text[end-1] == '.' {
		end--
	}
	return text[:end]
}

// literal returns a wall-clock text as a datetime literal of a query: verbatim, padded
// with zeros to three decimals.
func literal(text string) string {
	if missing := len(wallLayout) - len(text); missing > 0 {
		text += wallLayoutZeros[len(wallLayoutZeros)-missing:]
	}
	return "datetime'" + text + "'"
}

// wallLayoutZeros is the longest ending that a literal may need.
const wallLayoutZeros = ".000"
