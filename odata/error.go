package odata

import (
	"fmt"
	"strings"
)

// Error says what in a URL is not understood.
type Error struct {
	Option  string   // "$filter", or "path"
	At      int      // the place in the decoded text of the option, in characters from 1; 0: the whole
	What    string   // what is wrong: "Sag has no field \"navn\""
	Allowed []string // what may stand there; nil if that is too much to list
	Unknown string   // a name that is no field or link where it stands; "" for another fault
	// NotFound says that the path names nothing that exists, in distinction to a malformed
	// request.
	NotFound bool
}

// maxAllowed is how many allowed values a message names.
const maxAllowed = 30

// Error names the option, the place in it and what is allowed there.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Option)
	if e.At > 0 {
		fmt.Fprintf(&b, " at character %d", e.At)
	}
	b.WriteString(": " + e.What)
	switch n := len(e.Allowed); {
	case n > maxAllowed:
		fmt.Fprintf(&b, "; allowed are %s and %d more", strings.Join(e.Allowed[:maxAllowed], ", "), n-maxAllowed)
	case n > 0:
		b.WriteString("; allowed: " + strings.Join(e.Allowed, ", "))
	}
	return b.String()
}

// wrong returns an error at a place of an option's text, in bytes from 0.
func (o option) wrong(at int, format string, args ...any) *Error {
	return &Error{Option: o.name, At: len([]rune(o.text[:min(at, len(o.text))])) + 1, What: fmt.Sprintf(format, args...)}
}

// option is one option of a URL, decoded.
type option struct{ name, text string }
