package oda

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"odastream/schema"
)

const (
	// maxElements limits a page's elements: the largest page ever reported of the
	// source, and ten times what is asked for.
	maxElements = 1000
	// maxAddress limits the length of odata.metadata.
	maxAddress = 8 << 10
)

// splitter splits pages in one pass over their bytes. It can be reused, by one
// goroutine at a time.
type splitter struct {
	dec     *jsontext.Decoder
	body    []byte
	clean   bool   // body is valid UTF-8 throughout
	stamp   string // the last row's, since many rows have one stamp
	rule    *rule  // nil: rows are not checked
	content content
}

// split splits a page and checks its rows against r, unless that is nil. Rows share
// memory with body. An error is an *Error: ErrTruncated if the body ends early,
// ErrServer for an odata.error, ErrNotHonoured for a row that r does not admit, else
// ErrNotOData.
func (s *splitter) split(body []byte, r *rule) (content, error) {
	s.body, s.clean, s.stamp, s.rule = body, utf8.Valid(body), "", r
	s.content = content{count: -1}
	// Allow duplicate names and bad UTF-8 here, so that one odd row is one reject and
	// does not hold up the rows after it.
	opts := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	if s.dec == nil {
		s.dec = jsontext.NewDecoder(bytes.NewBuffer(body), opts...)
	} else {
		s.dec.Reset(bytes.NewBuffer(body), opts...)
	}
	err := s.top()
	out := s.content
	s.body, s.rule, s.content = nil, nil, content{}
	s.dec.Reset(bytes.NewBuffer(nil)) // so that the pool keeps no page in memory
	if err != nil {
		return content{}, asFault(err)
	}
	return out, nil
}

// asFault classifies an error of the decoder.
func asFault(err error) error {
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &Error{Kind: ErrTruncated, Cause: io.ErrUnexpectedEOF}
	}
	// The decoder's error quotes the page: keep only its text, clipped.
	return &Error{Kind: ErrNotOData, Cause: errors.New(clip(err.Error()))}
}

// top reads the page's object and checks that nothing follows it.
func (s *splitter) top() error {
	if kind := s.dec.PeekKind(); kind != jsontext.KindBeginObject && kind != jsontext.KindInvalid {
		return fault(ErrNotOData, "page is not a JSON object")
	}
	if err := s.members(s.member); err != nil {
		return err
	}
	if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return fault(ErrNotOData, "page continues after its end")
	}
	if s.content.metadata == "" || !s.content.hasValue {
		return fault(ErrNotOData, "page has no odata.metadata or no value")
	}
	return nil
}

// members reads an object and calls each with the name of each member, quotes
// included, to read its value.
func (s *splitter) members(each func(name []byte) error) error {
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for s.dec.PeekKind() != jsontext.KindEndObject {
		name, err := s.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := each(name); err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken()
	return err
}

// member reads the value of one of the page's own members.
func (s *splitter) member(name []byte) error {
	switch string(name) {
	case `"value"`:
		return s.list()
	case `"odata.metadata"`:
		return s.address()
	case `"odata.count"`:
		return s.count()
	case `"odata.error"`:
		value, err := s.dec.ReadValue()
		if err != nil {
			return err
		}
		return addODataError(&Error{Kind: ErrServer}, value)
	}
	return s.dec.SkipValue()
}

// address reads odata.metadata, a text.
func (s *splitter) address() error {
	value, err := s.dec.ReadValue()
	if err != nil {
		return err
	}
	if value.Kind() != jsontext.KindString {
		return fault(ErrNotOData, "odata.metadata is not a text")
	}
	if len(value) > maxAddress {
		return fault(ErrNotOData, "odata.metadata has %d bytes, want %d at most", len(value), maxAddress)
	}
	// An error means bad UTF-8, which isMetadataOf handles.
	text, _ := jsontext.AppendUnquote(nil, value)
	s.content.metadata = string(text)
	return nil
}

// count reads odata.count: a text with a number, or a number.
func (s *splitter) count() error {
	value, err := s.dec.ReadValue()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(strings.Trim(string(value), `"`), 10, 64)
	if err != nil || n < 0 {
		return fault(ErrNotOData, "odata.count is not a number")
	}
	s.content.count = n
	return nil
}

// list reads the array of rows.
func (s *splitter) list() error {
	if s.content.hasValue {
		return fault(ErrNotOData, "page has value twice")
	}
	s.content.hasValue = true
	if kind := s.dec.PeekKind(); kind != jsontext.KindBeginArray && kind != jsontext.KindInvalid {
		return fault(ErrNotOData, "value is not an array")
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	s.content.rows = make([]Row, 0, schema.PageSize)
	for s.dec.PeekKind() != jsontext.KindEndArray {
		if err := s.element(); err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken()
	return err
}

// element reads one element of value: a row, or a reject.
func (s *splitter) element() error {
	// Invariant 7. Count before reading the element: millions of unused elements would
	// fill the memory.
	if len(s.content.rows)+len(s.content.rejects) == maxElements {
		return fault(ErrNotHonoured, "page has more than %d elements, want %d at most", maxElements, schema.PageSize)
	}
	if s.dec.PeekKind() != jsontext.KindBeginObject {
		value, err := s.dec.ReadValue()
		if err != nil {
			return err
		}
		end := int(s.dec.InputOffset())
		return s.reject(0, s.body[end-len(value):end:end], "is not a JSON object")
	}
	return s.object()
}

// object reads one object of value: a row, unless it has no usable key or stamp.
func (s *splitter) object() error {
	var f fields
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	start := int(s.dec.InputOffset()) - 1
	for s.dec.PeekKind() != jsontext.KindEndObject {
		if err := s.field(&f); err != nil {
			return err
		}
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	end := int(s.dec.InputOffset())
	return s.add(f, s.body[start:end:end])
}

// fields are the two members of a row that the splitter reads.
type fields struct {
	ids, stamps int // how often they occur
	id          int64
	stamp       string
	fault       string // why this is no row, empty if it is one
}

// field reads one member of a row.
func (s *splitter) field(f *fields) error {
	name, err := s.dec.ReadValue()
	if err != nil {
		return err
	}
	switch string(name) {
	case `"id"`:
		value, err := s.dec.ReadValue()
		if err != nil {
			return err
		}
		f.ids++
		if f.id, err = strconv.ParseInt(string(value), 10, 64); err != nil {
			f.id, f.fault = 0, "has an id that is not an integer"
		}
		return nil
	case `"opdateringsdato"`:
		value, err := s.dec.ReadValue()
		if err != nil {
			return err
		}
		f.stamps++
		s.readStamp(f, value)
		return nil
	}
	return s.dec.SkipValue()
}

// readStamp reads a stamp: null, or a text. Consecutive rows with one stamp share its
// memory.
func (s *splitter) readStamp(f *fields, value jsontext.Value) {
	if value.Kind() == jsontext.KindNull {
		f.stamp = ""
		return
	}
	if value.Kind() != jsontext.KindString {
		f.fault = "has an opdateringsdato that is not a text"
		return
	}
	if raw := value[1 : len(value)-1]; bytes.IndexByte(raw, '\\') < 0 {
		if string(raw) != s.stamp {
			s.stamp = string(raw)
		}
		f.stamp = s.stamp
		return
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		f.fault = "has an opdateringsdato that is not a text"
	}
	if bytes.IndexByte(text, 0) >= 0 {
		f.fault = "has an opdateringsdato with a NUL"
	}
	f.stamp = string(text)
}

// add adds an object to the rows or the rejects.
func (s *splitter) add(f fields, data []byte) error {
	switch {
	case f.ids != 1:
		return s.reject(0, data, "has no id, or several")
	case f.fault != "":
		return s.reject(f.id, data, f.fault)
	case f.stamps > 1:
		return s.reject(f.id, data, "has several opdateringsdato")
	case !s.clean && !utf8.Valid(data):
		return s.reject(f.id, data, "is not UTF-8")
	case schema.CheckNumbers(data) != nil:
		return s.reject(f.id, data, "has numbers that are too long when they are written out")
	}
	if s.rule != nil {
		if err := s.rule.admit(f.id, f.stamp); err != nil {
			return &Error{Kind: ErrNotHonoured, Cause: err}
		}
	}
	s.content.rows = append(s.content.rows, Row{ID: f.id, Opdateringsdato: f.stamp, Data: data})
	return nil
}

// reject adds an element that is no row to the rejects. Its id, if known, is checked
// too.
func (s *splitter) reject(id int64, data []byte, reason string) error {
	if s.rule != nil && id != 0 {
		if err := s.rule.admitID(id); err != nil {
			return &Error{Kind: ErrNotHonoured, Cause: err}
		}
	}
	s.content.rejects = append(s.content.rejects, Reject{ID: id, Data: data, Reason: reason})
	return nil
}
