package odata

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"odastream/schema"
)

// ErrTooLarge says that an answer would be larger than is allowed.
var ErrTooLarge = errors.New("the answer is too large")

// Element is a row as an answer has it, with the rows that its shape expands.
type Element struct {
	Data   []byte      // a JSON object with the row's members
	Linked [][]Element // by the shape's Links
}

// AppendElement writes a row with the members that the shape selects: those of links
// before the fields, as ASP.NET writes them, and the fields in $metadata's order, with
// unknown ones behind them. Blanks between members are left out. A result of more than
// most bytes is ErrTooLarge.
func AppendElement(dst []byte, e Element, entity schema.Entity, shape Shape, most int) ([]byte, error) {
	if len(dst)+len(e.Data) > most {
		return nil, ErrTooLarge
	}
	dst = append(dst, '{')
	start := len(dst)
	var err error
	for i, l := range shape.Links {
		dst = appendName(dst, l.Name, start)
		if dst, err = appendLinked(dst, e.Linked[i], l, most); err != nil {
			return nil, err
		}
	}
	r := rowReaders.Get().(*rowReader)
	defer rowReaders.Put(r)
	if err := r.read(e.Data); err != nil {
		return nil, err
	}
	for _, m := range r.inOrder(entity, shape) {
		dst = append(append(appendComma(dst, start), m.quoted...), ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}'), nil
}

// appendLinked writes the rows of an expanded link: a list, or one row or null.
func appendLinked(dst []byte, rows []Element, l ExpandedLink, most int) (_ []byte, err error) {
	if !l.Many {
		if len(rows) == 0 {
			return append(dst, "null"...), nil
		}
		return AppendElement(dst, rows[0], l.Shape.entity, l.Shape, most)
	}
	dst = append(dst, '[')
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = AppendElement(dst, row, l.Shape.entity, l.Shape, most); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// Member returns the value of a member of a row; nil if it has none of that name.
func Member(row []byte, name string) (jsontext.Value, error) {
	r := rowReaders.Get().(*rowReader)
	defer rowReaders.Put(r)
	if err := r.read(row); err != nil {
		return nil, fmt.Errorf("read row: %w", err)
	}
	for _, m := range r.members {
		if m.is(name) {
			return m.value.Clone(), nil
		}
	}
	return nil, nil
}

// errNoObject says that a row is not one: nothing that is stored is.
var errNoObject = errors.New("row is not a JSON object")

// jsonMember is a member of an object, as its text has it.
type jsonMember struct {
	quoted jsontext.Value // the name
	value  jsontext.Value
}

// is reports whether the member has a name, which must need no escape.
func (m jsonMember) is(name string) bool { return string(m.quoted[1:len(m.quoted)-1]) == name }

// rowReader reads the members of rows, one row at a time. A page has hundreds of them.
type rowReader struct {
	text    bytes.Reader
	decoder *jsontext.Decoder
	members []jsonMember
	fields  []int // by field the number of its member, from 1; 0: the row lacks it
	others  []jsonMember
	chosen  []jsonMember
}

var rowReaders = sync.Pool{New: func() any {
	r := &rowReader{}
	r.decoder = jsontext.NewDecoder(&r.text)
	return r
}}

// read reads the members of an object, which point into it.
func (r *rowReader) read(object []byte) error {
	r.members = r.members[:0]
	r.text.Reset(object)
	r.decoder.Reset(&r.text, jsontext.AllowDuplicateNames(true))
	if begin, err := r.decoder.ReadToken(); err != nil || begin.Kind() != '{' {
		return errors.Join(errNoObject, err)
	}
	for r.decoder.PeekKind() == '"' {
		name, err := r.decoder.ReadValue()
		if err != nil {
			return err
		}
		m := jsonMember{quoted: r.here(object, name)}
		value, err := r.decoder.ReadValue()
		if err != nil {
			return err
		}
		m.value = r.here(object, value)
		r.members = append(r.members, m)
	}
	_, err := r.decoder.ReadToken() // the end of the object
	return err
}

// here returns a value that was just read as a part of the object: the decoder's own does
// not last.
func (r *rowReader) here(object []byte, value jsontext.Value) jsontext.Value {
	end := r.decoder.InputOffset()
	return object[end-int64(len(value)) : end]
}

// inOrder returns the members that a shape selects, in $metadata's order, until the next
// call.
func (r *rowReader) inOrder(entity schema.Entity, shape Shape) []jsonMember {
	r.fields = slices.Grow(r.fields[:0], len(entity.Fields))[:len(entity.Fields)]
	clear(r.fields)
	r.others, r.chosen = r.others[:0], r.chosen[:0]
	for i, m := range r.members {
		at := slices.IndexFunc(entity.Fields, func(f schema.Field) bool { return m.is(f.Name) })
		if at < 0 {
			r.others = append(r.others, m)
			continue
		}
		r.fields[at] = i + 1
	}
	for i, f := range entity.Fields {
		if n := r.fields[i]; n > 0 && (!shape.Selected || slices.Contains(shape.Fields, f.Name)) {
			r.chosen = append(r.chosen, r.members[n-1])
		}
	}
	if !shape.Selected {
		r.chosen = append(r.chosen, r.others...)
	}
	return r.chosen
}

// appendComma writes a comma before a member, unless it is the first.
func appendComma(dst []byte, start int) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	return dst
}

// appendName writes a member's name, with a comma before it unless it is the first.
func appendName(dst []byte, name string, start int) []byte {
	quoted, err := jsontext.AppendQuote(appendComma(dst, start), name)
	if err != nil {
		return dst // no name of a schema is refused
	}
	return append(quoted, ':')
}
