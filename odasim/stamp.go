package odasim

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the parliament's clock must not depend on the machine's zone files
)

// Compare says how a row's opdateringsdato is compared with the datetime literal of a
// filter. Which of the two the real service does is unknown, so a client must work with
// both.
type Compare string

const (
	// CompareTicks compares as SQL Server does with a datetime column and an exact
	// literal: the row counts in ticks of 1/300 s, the literal does not. A row that
	// shows .007 is .0066667 and matches neither eq, ge nor gt of its own stamp,
	// and gt .003 returns the row that shows .003.
	CompareTicks Compare = "ticks"
	// CompareText compares the stamps as they are shown, in milliseconds.
	CompareText Compare = "text"
)

// A moment counts thirds of 100 ns since 1753, where SQL Server's datetime begins. In
// this unit both a tick of 1/300 s and a literal with seven decimals are whole numbers.
type moment = int64

const (
	unitsPerSecond = 3 * 10_000_000
	unitsPerTick   = unitsPerSecond / 300

	// noMoment stands for a null stamp: SQL Server sorts it before all others, and it
	// matches no comparison.
	noMoment moment = math.MinInt64
	// firstMoment is the least bound that excludes nulls.
	firstMoment moment = math.MinInt64 + 1
	lastMoment  moment = math.MaxInt64
)

// moment returns a row's stamp as c compares it.
func (c Compare) moment(stamp string) (moment, error) {
	m, err := parseMoment(stamp)
	if err != nil || c != CompareTicks {
		return m, err
	}
	m += unitsPerTick / 2
	return m - (m%unitsPerTick+unitsPerTick)%unitsPerTick, nil
}

// parseMoment reads yyyy-mm-ddThh:mm[:ss[.fffffff]], the format of stamps and datetime
// literals. Seconds and decimals may be missing.
func parseMoment(text string) (moment, error) {
	layout := "2006-01-02T15:04:05"
	if len(text) == len("2006-01-02T15:04") {
		layout = "2006-01-02T15:04"
	}
	// time.Parse would accept a comma, and more decimals than the format has.
	if len(text) > len("2006-01-02T15:04:05.0000000") || strings.Contains(text, ",") {
		return 0, fmt.Errorf("parse datetime %q: not yyyy-mm-ddThh:mm[:ss[.fffffff]]", text)
	}
	t, err := time.Parse(layout, text)
	if err != nil {
		return 0, fmt.Errorf("parse datetime %q: not yyyy-mm-ddThh:mm[:ss[.fffffff]]", text)
	}
	return momentOf(t), nil
}

// momentOf returns the moment of a wall clock in UTC.
func momentOf(t time.Time) moment {
	return (t.Unix()+secondsBefore1970)*unitsPerSecond + int64(t.Nanosecond())/100*3
}

// secondsBefore1970 is the distance from 1753 to 1970; with it the year 9999
// still fits a moment.
const secondsBefore1970 = 6847804800

// Stamp returns the opdateringsdato of a row that is written at t: Danish wall clock
// without a zone, rounded to SQL Server's 1/300 s, trailing zeros dropped
// (2026-11-23T16:09:58.347, …58.1, …58). In the hour that occurs twice in October, two
// instants have the same stamp.
func Stamp(t time.Time) string {
	const tick = time.Second / 300
	ticks := (int64(t.Nanosecond()) + int64(tick)/2) * 300 / int64(time.Second)
	ms := (ticks*10 + 1) / 3
	t = t.Truncate(time.Second).Add(time.Duration(ms) * time.Millisecond)
	return t.In(denmark()).Format("2006-01-02T15:04:05.999")
}

// denmark is the zone of the source's stamps. Reading it from the embedded data takes
// longer than answering a page, so it is read once.
var denmark = sync.OnceValue(func() *time.Location {
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		panic("odasim: the embedded time zone data has no Europe/Copenhagen: " + err.Error())
	}
	return zone
})
