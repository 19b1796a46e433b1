package rowfile

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// member is a member of a row.
type member struct {
	name  string
	value jsontext.Value // as it is written in the row
}

// reader reads the members of rows, one row at a time.
type reader struct {
	decoder *jsontext.Decoder
	text    bytes.Reader
	members []member
	values  []byte // the values of members
}

func newReader() *reader {
	r := &reader{}
	r.decoder = jsontext.NewDecoder(&r.text)
	return r
}

// read returns the members of a row until the next call. What is no object has none.
func (r *reader) read(row []byte) ([]member, error) {
	r.text.Reset(row)
	r.decoder.Reset(&r.text)
	r.members, r.values = r.members[:0], r.values[:0]
	if r.decoder.PeekKind() != '{' {
		return nil, nil
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return nil, fmt.Errorf("read row: %w", err)
	}
	// A value may be read only until the next one is.
	r.values = slices.Grow(r.values, len(row))
	for r.decoder.PeekKind() != '}' {
		name, err := r.decoder.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("read row: %w", err)
		}
		m := member{name: name.String()}
		value, err := r.decoder.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("read member %s of row: %w", m.name, err)
		}
		from := len(r.values)
		r.values = append(r.values, value...)
		m.value = r.values[from:]
		r.members = append(r.members, m)
	}
	return r.members, nil
}

// text returns the value of a string.
func text(value jsontext.Value) ([]byte, error) { return jsontext.AppendUnquote(nil, value) }
