package gateway

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	ics "github.com/arran4/golang-ical"

	"odastream/odata"
	"odastream/query"
)

// calendarForm is the ending of an address of meetings as a calendar.
const calendarForm = "ics"

const calendarType = "text/calendar; charset=utf-8"

// calendarLines are how RFC 5545 wants lines: of 75 bytes at most.
var calendarLines = &ics.SerializationConfiguration{MaxLength: 75, PropertyMaxLength: 75, NewLine: "\r\n"}

// calendar writes meetings as iCalendar (RFC 5545), one at a time.
type calendar struct {
	w     io.Writer
	links string // the public address that links begin with
}

func newCalendar(w io.Writer, links string) (calendar, error) {
	_, err := io.WriteString(w, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//odastream//meetings//EN\r\nCALSCALE:GREGORIAN\r\nX-WR-CALNAME:Folketinget\r\n")
	return calendar{w, links}, err
}

func (c calendar) Close() error {
	_, err := io.WriteString(c.w, "END:VCALENDAR\r\n")
	return err
}

// Write writes a meeting. One without a date has no place in a calendar.
func (c calendar) Write(item any) error {
	meeting := item.(query.Meeting)
	start, ok := wallClock(meeting.Date)
	if !ok {
		return nil
	}
	event := ics.NewEvent(fmt.Sprintf("meeting-%d@odastream", meeting.ID))
	// The source does not say when a meeting ends. One at midnight has a day and no time.
	if start.Hour() == 0 && start.Minute() == 0 {
		event.SetAllDayStartAt(start)
	} else {
		event.SetStartAt(start)
	}
	stamp, ok := wallClock(meeting.Updated)
	if !ok {
		stamp = start
	}
	event.SetDtStampTime(stamp)
	event.SetSummary(inOneLine(meeting.Title, meeting.Type))
	if meeting.Room != nil {
		event.SetLocation(inOneLine(meeting.Room))
	}
	if meeting.Status != nil && strings.EqualFold(*meeting.Status, canceledMeeting) {
		event.SetStatus(ics.ObjectStatusCancelled)
	}
	event.SetURL(fmt.Sprintf("%s%s/meetings/%d", c.links, apiRoot, meeting.ID))
	return event.SerializeTo(c.w, calendarLines)
}

// canceledMeeting is the Mødestatus of a meeting that does not take place.
const canceledMeeting = "Aflyst"

// wallClock returns the instant of a stamp of the source.
func wallClock(stamp *string) (time.Time, bool) {
	if stamp == nil {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation("2006-01-02T15:04:05", *stamp, odata.Denmark())
	return t, err == nil
}

// inOneLine returns the first text that is not empty, without line breaks and other
// controls.
func inOneLine(texts ...*string) string {
	for _, text := range texts {
		if text != nil && *text != "" {
			return strings.Map(func(r rune) rune {
				if unicode.IsControl(r) {
					return ' '
				}
				return r
			}, *text)
		}
	}
	return ""
}
