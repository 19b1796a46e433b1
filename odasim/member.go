package odasim

import (
	"bytes"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// members yields the top-level members of a row in their order; the values are the row's
// own bytes. It relies on encode: the row is valid JSON without blanks. If it is not an
// object, nothing is yielded.
func members(data []byte) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		for len(data) > 2 && (data[0] == '{' || data[0] == ',') {
			data = data[1:]
			n := valueLen(data)
			name := nameOf(data[:n])
			data = data[n+1:]
			n = valueLen(data)
			if !yield(name, data[:n]) {
				return
			}
			data = data[n:]
		}
	}
}

// nameOf returns the text of a member's name.
func nameOf(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	text, _ := unquote(quoted) // encode has checked it
	return text
}

// valueLen returns the length of the value that data begins with.
func valueLen(data []byte) int {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i += stringLen(data[i:]) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			// A number or a word ends at the next punctuation mark.
			if i+1 < len(data) && bytes.IndexByte([]byte(",:]}"), data[i+1]) < 0 || depth > 0 {
				continue
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(data)
}

// stringLen returns the length of the JSON string that data begins with.
func stringLen(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// member returns the raw value of a top-level member.
func member(data []byte, name string) (jsontext.Value, bool) {
	for have, value := range members(data) {
		if have == name {
			return value, true
		}
	}
	return nil, false
}

// unquote returns the text of a JSON string.
func unquote(raw []byte) (string, error) {
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err
}
