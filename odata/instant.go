package odata

import (
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // images without zoneinfo need the zone
)

// Denmark returns the zone of the source's clock, which its stamps are of.
func Denmark() *time.Location { return denmark() }

// denmark is part of the embedded tzdata, so reading it fails only if ZONEINFO names a
// broken file.
var denmark = sync.OnceValue(func() *time.Location {
	loc, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		panic("odata: load Europe/Copenhagen: " + err.Error())
	}
	return loc
})

// instantForms are the forms of an instant.
var instantForms = []string{"2026-11-01T12:00:00Z", "2026-11-01T13:00:00.123+01:00", "2026-11-01 (its first moment in Denmark)"}

// instant returns the instant of asof: one of RFC 3339, or the moment at which a date
// begins in Denmark.
func (o option) instant() (time.Time, error) {
	if day, err := time.ParseInLocation(time.DateOnly, o.text, Denmark()); err == nil {
		return day.UTC(), nil
	}
	// The + of a zone is a blank in a query.
	t, err := time.Parse(time.RFC3339Nano, strings.Replace(o.text, " ", "+", 1))
	if err != nil {
		wrong := o.wrong(0, "%s is not an instant", strconv.Quote(o.text))
		wrong.Allowed = instantForms
		return t, wrong
	}
	return t.UTC(), nil
}
