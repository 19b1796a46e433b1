package odasim

import (
	"bytes"
	"iter"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// members yields the top-level members of a JSON object in their order; the
// values are the object's own bytes. It ends early where the object is broken.
func members(data []byte) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		d := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
		if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
			return
		}
		for d.PeekKind() == '"' {
			name, err := d.ReadToken()
			if err != nil {
				return
			}
			text := name.String() // before the next read: the token is the decoder's
			value, err := d.ReadValue()
			if err != nil || !yield(text, value) {
				return
			}
		}
	}
}

// member gives the raw value of a top-level member.
func member(data []byte, name string) (jsontext.Value, bool) {
	for have, value := range members(data) {
		if have == name {
			return value, true
		}
	}
	return nil, false
}

// valueOf gives a row's value as a literal of the kind; ok is false for null and
// for a value of another type.
func valueOf(raw jsontext.Value, kind literalKind) (v literal, ok bool) {
	v.kind = kind
	switch raw.Kind() {
	case '"':
		text, err := unquote(raw)
		if err != nil || kind == textLiteral {
			v.text = text
			return v, err == nil
		}
		v.number, err = parseMoment(text)
		return v, err == nil && kind == momentLiteral
	case '0':
		n, err := strconv.ParseInt(string(raw), 10, 64)
		v.number = n
		return v, err == nil && kind == numberLiteral
	case 't':
		v.number = 1
		return v, kind == boolLiteral
	case 'f':
		return v, kind == boolLiteral
	default:
		return v, false
	}
}

// unquote gives the text of a JSON string.
func unquote(raw jsontext.Value) (string, error) {
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err
}
