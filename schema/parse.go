package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Classes of a ParseError, as dead letters name them.
const (
	ClassDecode = "decode" // not JSON at all
	ClassSchema = "schema" // JSON, but no change
)

// ParseError says why a record's value is no change.
type ParseError struct {
	Class string // ClassDecode or ClassSchema
	Err   error
}

// Error returns the class and the cause.
func (e *ParseError) Error() string { return "parse change: " + e.Class + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ParseError) Unwrap() error { return e.Err }

// ParseChange decodes a record's value. It refuses what change.schema.json refuses, and
// also numbers with a fraction or an exponent, which AppendJSON never writes. It
// ignores unknown members, so that a newer writer can add some. The Change shares no
// memory with value; Data is byte for byte. Text that is no Unicode, including half a
// surrogate pair, is an error: Postgres could not hold it. So are numbers that
// CheckNumbers refuses. The error is a *ParseError.
func ParseChange(value []byte) (Change, error) {
	var raw envelope
	// An odd row of the source is data, not a fault of the envelope: a duplicate name
	// in the row stays as it is.
	if err := json.Unmarshal(value, &raw, jsontext.AllowDuplicateNames(true)); err != nil {
		return Change{}, parseFault(value, err)
	}
	c, err := raw.change()
	if err == nil {
		err = c.valid()
	}
	if err != nil {
		return Change{}, &ParseError{ClassSchema, err}
	}
	return c, nil
}

// envelope is a change in JSON; a pointer or Value is nil if the member is missing.
type envelope struct {
	Entity          string         `json:"entity"`
	ID              *int64         `json:"id"`
	Action          Action         `json:"action"`
	Seq             int64          `json:"seq"`
	Timestamp       string         `json:"timestamp"`
	Opdateringsdato jsontext.Value `json:"opdateringsdato"`
	Origin          Origin         `json:"origin"`
	Changed         []string       `json:"changed"`
	Data            jsontext.Value `json:"data"`
}

func (e *envelope) change() (Change, error) {
	if e.ID == nil {
		return Change{}, errors.New("id is missing")
	}
	c := Change{Entity: e.Entity, ID: *e.ID, Action: e.Action, Seq: e.Seq, Origin: e.Origin, Changed: e.Changed}
	var err error
	if c.Timestamp, err = parseTimestamp(e.Timestamp); err != nil {
		return Change{}, err
	}
	if c.Opdateringsdato, err = parseStamp(e.Opdateringsdato); err != nil {
		return Change{}, err
	}
	switch e.Data.Kind() {
	case jsontext.KindInvalid:
		return Change{}, errors.New("data is missing")
	case jsontext.KindNull: // nil
	default:
		c.Data = e.Data // a copy already
	}
	return c, nil
}

func parseTimestamp(s string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("timestamp: %w", err)
	}
	// time.Parse also accepts an hour of one digit and a comma for the point.
	if s[len("2026-11-23T15")] != ':' || strings.Contains(s, ",") || !strings.HasSuffix(s, "Z") {
		return time.Time{}, fmt.Errorf("timestamp is %q, want RFC 3339 in UTC", s)
	}
	return at.Truncate(time.Microsecond), nil
}

// parseStamp returns the source's stamp, "" for null.
func parseStamp(v jsontext.Value) (string, error) {
	switch v.Kind() {
	case jsontext.KindNull:
		return "", nil
	case jsontext.KindString:
		text, err := jsontext.AppendUnquote(nil, v)
		return string(text), err
	}
	return "", errors.New("opdateringsdato must be a text or null")
}

// valid checks the values of the members that are present.
func (c Change) valid() error {
	switch {
	case c.Entity == "":
		return errors.New("entity is missing")
	case c.Seq < 1:
		return fmt.Errorf("seq is %d, want above 0", c.Seq)
	case !slices.Contains([]Action{Snapshot, Create, Update, Delete}, c.Action):
		return fmt.Errorf("action is %q, want snapshot, create, update or delete", c.Action)
	case !slices.Contains([]Origin{OriginTail, OriginScan, OriginSnapshot}, c.Origin):
		return fmt.Errorf("origin is %q, want tail, scan or snapshot", c.Origin)
	}
	if err := c.validChanged(); err != nil {
		return err
	}
	return c.validData()
}

func (c Change) validChanged() error {
	switch {
	case c.Changed == nil:
		return nil
	case c.Action != Update:
		return fmt.Errorf("changed is an update's, this is a %s", c.Action)
	case len(c.Changed) == 0:
		return errors.New("changed names no member")
	}
	return nil
}

func (c Change) validData() error {
	if c.Action == Delete {
		if c.Data != nil {
			return errors.New("a delete's data must be null")
		}
		return nil
	}
	if jsontext.Value(c.Data).Kind() != jsontext.KindBeginObject {
		return errors.New("data must be an object")
	}
	if err := CheckNumbers(c.Data); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return nil
}

// parseFault distinguishes a value that is not JSON from JSON that is no change.
func parseFault(value []byte, err error) *ParseError {
	if jsontext.Value(value).IsValid(jsontext.AllowDuplicateNames(true)) {
		return &ParseError{ClassSchema, err}
	}
	return &ParseError{ClassDecode, decodeFault(value)}
}

// decodeFault finds where a value stops being JSON.
func decodeFault(value []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	if _, err := dec.ReadValue(); err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	return errors.New("data after the value's end")
}
