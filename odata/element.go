package odata

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

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
	members, err := membersOf(e.Data)
	if err != nil {
		return nil, err
	}
	for _, m := range inOrder(members, entity, shape) {
		dst = append(appendName(dst, m.name, start), m.value...)
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
	members, err := membersOf(row)
	if err != nil {
		return nil, fmt.Errorf("read row: %w", err)
	}
	for _, m := range members {
		if m.name == name {
			return m.value, nil
		}
	}
	return nil, nil
}

// errNoObject says that a row is not one: nothing that is stored is.
var errNoObject = errors.New("row is not a JSON object")

// jsonMember is a member of an object.
type jsonMember struct {
	name  string
	value jsontext.Value
}

// membersOf returns the members of an object.
func membersOf(object []byte) (members []jsonMember, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(object), jsontext.AllowDuplicateNames(true))
	if begin, err := d.ReadToken(); err != nil || begin.Kind() != '{' {
		return nil, errors.Join(errNoObject, err)
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		text := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		members = append(members, jsonMember{text, value.Clone()})
	}
	if _, err := d.ReadToken(); err != nil { // the end of the object
		return nil, err
	}
	return members, nil
}

// inOrder returns the members that a shape selects, in $metadata's order.
func inOrder(members []jsonMember, entity schema.Entity, shape Shape) (chosen []jsonMember) {
	for _, f := range entity.Fields {
		at := slices.IndexFunc(members, func(m jsonMember) bool { return m.name == f.Name })
		if at >= 0 && (!shape.Selected || slices.Contains(shape.Fields, f.Name)) {
			chosen = append(chosen, members[at])
		}
	}
	if shape.Selected {
		return chosen
	}
	for _, m := range members {
		if _, known := entity.Field(m.name); !known {
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// appendName writes a member's name, with a comma before it unless it is the first.
func appendName(dst []byte, name string, start int) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	quoted, err := jsontext.AppendQuote(dst, name)
	if err != nil {
		return dst // no name of a schema, or read from JSON, is refused
	}
	return append(quoted, ':')
}
