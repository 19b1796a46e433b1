package schema

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Hash identifies the content of a row: the first 16 bytes of the SHA-256 of its
// canonical form. The zero Hash is no row's.
type Hash [16]byte

// stampName is the one member that is not content, quoted: the source stamps rows
// anew without changing them.
const stampName = `"opdateringsdato"`

// ContentHash hashes what a row says, not how it is spelled: the order of
// members, white space and escapes ("ø" or "\u00f8") make no difference, and the
// stamp is left out; null and "" differ. Numbers are compared as they are
// written, so 1.50 differs from 1.5, and of a name that occurs twice both values
// count, in their order. It returns an error for what is no JSON object, but
// none for text that is no Unicode: such a row has to be told apart as well.
func ContentHash(row []byte) (Hash, error) {
	r := readings.Get().(*reading)
	defer r.done()
	if err := r.read(row); err != nil {
		return Hash{}, fmt.Errorf("hash row: %w", err)
	}
	return r.hash(), nil
}

// member is one member of a row in canonical spelling, the name with its quotes.
type member struct {
	name, value []byte
}

// reading is a row taken apart. It is used again for other rows.
type reading struct {
	src       bytes.Buffer
	dec       jsontext.Decoder
	members   []member // in the row's order; they share memory with the row where that is canonical already
	order     []int    // places of members in the order of their names
	canonical []byte
}

// readings keeps what was used, so that a row costs hardly any memory of its own.
var readings = sync.Pool{New: func() any { return new(reading) }}

func (r *reading) done() {
	clear(r.members) // or the widest row would be held on to
	readings.Put(r)
}

// hash writes the members sorted by name, each value compact and with the
// shortest escapes. What it writes is part of every ledger: a change of it makes
// each row of each entity look changed.
func (r *reading) hash() Hash {
	r.sort()
	r.canonical = r.canonical[:0]
	for _, i := range r.order {
		m := r.members[i]
		r.canonical = append(append(append(append(r.canonical, m.name...), ':'), m.value...), ',')
	}
	sum := sha256.Sum256(r.canonical)
	return Hash(sum[:16])
}

// sort begins with the order of the row before: its members mostly stood in the
// same places, and to see that takes one comparison a member.
func (r *reading) sort() {
	if len(r.order) != len(r.members) {
		r.order = r.order[:0]
		for i := range r.members {
			r.order = append(r.order, i)
		}
	}
	slices.SortFunc(r.order, func(a, b int) int {
		// Of a name that occurs twice the first stays first.
		return cmp.Or(bytes.Compare(r.members[a].name, r.members[b].name), a-b)
	})
}

// read takes row apart.
func (r *reading) read(row []byte) error {
	r.src, r.members = *bytes.NewBuffer(row), r.members[:0]
	r.dec.Reset(&r.src, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if token, err := r.dec.ReadToken(); err != nil {
		return err
	} else if token.Kind() != jsontext.KindBeginObject {
		return fmt.Errorf("want an object, got %s", token.Kind())
	}
	for r.dec.PeekKind() == jsontext.KindString {
		name, err := r.next(row)
		if err != nil {
			return err
		}
		value, err := r.next(row)
		if err != nil {
			return err
		}
		if string(name) != stampName {
			r.members = append(r.members, member{name, value})
		}
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("the object is not all there is")
	}
	return nil
}

// next reads the next value of row in its canonical spelling: a text with the
// shortest escapes, a nested value, which this source does not have, also without
// white space and with its names sorted.
func (r *reading) next(row []byte) ([]byte, error) {
	read, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	// What the decoder returns lasts until its next read; row lasts.
	end := int(r.dec.InputOffset())
	value := row[end-len(read) : end : end]
	switch jsontext.Value(value).Kind() {
	case jsontext.KindString:
		if hasLongEscape(value) {
			return respell(value), nil
		}
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		own := jsontext.Value(bytes.Clone(value))
		// It fails on text that is no Unicode only, and then leaves all as it is.
		_ = own.Format(jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(false), jsontext.ReorderRawObjects(true))
		return own, nil
	}
	return value, nil
}

// hasLongEscape tells whether a valid text has an escape that has a shorter
// spelling: \u00f8 and \/ have one, \n and \" have none.
func hasLongEscape(quoted []byte) bool {
	for {
		i := bytes.IndexByte(quoted, '\\')
		if i < 0 {
			return false
		}
		if c := quoted[i+1]; c == 'u' || c == '/' {
			return true
		}
		quoted = quoted[i+2:]
	}
}

// respell gives a text the shortest escapes. One that is no Unicode, half of a
// surrogate pair, stays as it is: replaced, two of them would look the same.
func respell(quoted []byte) []byte {
	text, err := jsontext.AppendUnquote(make([]byte, 0, len(quoted)), quoted)
	if err != nil {
		return quoted
	}
	// No error: the text was found to be Unicode.
	short, _ := jsontext.AppendQuote(make([]byte, 0, len(quoted)), text)
	return short
}
