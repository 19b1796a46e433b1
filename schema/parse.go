package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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

// Error gives the class and the cause.
func (e *ParseError) Error() string { return "parse change: " + e.Class + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ParseError) Unwrap() error { return e.Err }

// ParseChange decodes a record's value. Members that it does not know are passed
// over, so that a newer writer can add some. Data is a copy, byte for byte. The
// error is a *ParseError.
func ParseChange(value []byte) (Change, error) {
	if !jsontext.Value(value).IsValid(jsontext.AllowInvalidUTF8(false), jsontext.AllowDuplicateNames(true)) {
		return Change{}, &ParseError{ClassDecode, decodeFault(value)}
	}
	var raw struct {
		Entity          string         `json:"entity"`
		ID              *int64         `json:"id"`
		Action          Action         `json:"action"`
		Seq             int64          `json:"seq"`
		Timestamp       string         `json:"timestamp"`
		Opdateringsdato *string        `json:"opdateringsdato"`
		Origin          Origin         `json:"origin"`
		Changed         []string       `json:"changed"`
		Data            jsontext.Value `json:"data"`
	}
	// Whatever odd row the source had is data, not this envelope's fault: a name
	// twice inside it stays as it was given.
	if err := json.Unmarshal(value, &raw, jsontext.AllowDuplicateNames(true)); err != nil {
		return Change{}, &ParseError{ClassSchema, err}
	}
	at, err := time.Parse(time.RFC3339Nano, raw.Timestamp)
	if err != nil {
		return Change{}, &ParseError{ClassSchema, fmt.Errorf("timestamp: %w", err)}
	}
	c := Change{
		Entity: raw.Entity, Action: raw.Action, Seq: raw.Seq, Timestamp: at.UTC(),
		Origin: raw.Origin, Changed: raw.Changed, Data: bytes.Clone(raw.Data),
	}
	if raw.Opdateringsdato != nil {
		c.Opdateringsdato = *raw.Opdateringsdato
	}
	if raw.ID == nil {
		return Change{}, &ParseError{ClassSchema, errors.New("id is missing")}
	}
	c.ID = *raw.ID
	if c.Action == Delete && raw.Data.Kind() == 'n' {
		c.Data = nil
	}
	if err := c.valid(); err != nil {
		return Change{}, &ParseError{ClassSchema, err}
	}
	return c, nil
}

// valid checks what change.schema.json demands.
func (c Change) valid() error {
	switch {
	case c.Entity == "":
		return errors.New("entity is missing")
	case c.Seq < 1:
		return fmt.Errorf("seq is %d, want above 0", c.Seq)
	case c.Action != Snapshot && c.Action != Create && c.Action != Update && c.Action != Delete:
		return fmt.Errorf("action is %q, want snapshot, create, update or delete", c.Action)
	case c.Origin != OriginTail && c.Origin != OriginScan && c.Origin != OriginSnapshot:
		return fmt.Errorf("origin is %q, want tail, scan or snapshot", c.Origin)
	case c.Action == Delete && c.Data != nil:
		return errors.New("a delete's data must be null")
	case c.Action != Delete && (len(c.Data) == 0 || c.Data[0] != '{'):
		return errors.New("data must be an object")
	}
	return nil
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
