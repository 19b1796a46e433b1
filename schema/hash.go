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
// canonical form. No row has the zero Hash.
type Hash [16]byte

// stampName is the quoted name of the one member that is not content: the source gives
// rows a new stamp without changing them.
const stampName = `"opdateringsdato"`

// ContentHash hashes a row's content, not its spelling: the order of members, white
// space and escapes ("ø" or "\u00f8") make no difference, and the stamp is omitted;
// null and "" differ. Numbers are hashed as written, so 1.50 differs from 1.5. If a
// name occurs twice, both values count, in their order. It returns an error if row is
// no JSON object, but not for text that is no Unicode: such rows must be distinguished
// too.
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

// reading is a parsed row. It is reused for other rows.
type reading struct {
	src       bytes.Buffer
	dec       jsontext.Decoder
	members   []member // in the row's order; they share memory with the row where it is canonical
	order     []int    // indexes of members, sorted by name
	canonical []byte
}

// readings is a pool of readings, so that a row hardly allocates memory.
var readings = sync.Pool{New: func() any { return new(reading) }}

func (r *reading) done() {
	clear(r.members) // so that the pool keeps no row in memory
	readings.Put(r)
}

// hash writes the members sorted by name, each value compact and with the shortest
// escapes. Every ledger depends on this form: changing it makes every row of every
// entity look changed.
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

// sort begins with the order of the row before, whose members were mostly in the same
// places: checking that takes one comparison a member.
func (r *reading) sort() {
	if len(r.order) != len(r.members) {
		r.order = r.order[:0]
		for i := range r.members {
			r.order = append(r.order, i)
		}
	}
	slices.SortFunc(r.order, func(a, b int) int {
		// If a name occurs twice, the first stays first.
		return cmp.Or(bytes.Compare(r.members[a].name, r.members[b].name), a-b)
	})
}

// read parses row.
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

// next reads the next value of row in its canonical spelling: a text with the shortest
// escapes, a nested value also without white space and with its names sorted. This
// source has no nested values.
func (r *reading) next(row []byte) ([]byte, error) {
	read, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	// The decoder's value is valid until its next read; row stays valid.
	end := int(r.dec.InputOffset())
	value := row[end-len(read) : end : end]
	switch jsontext.Value(value).Kind() {
	case jsontext.KindString:
		if hasLongEscape(value) {
			return respell(value), nil
		}
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		own := jsontext.Value(bytes.Clone(value))
		// It fails only on text that is no Unicode, and then changes nothing.
		_ = own.Format(jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(false), jsontext.ReorderRawObjects(true))
		return own, nil
	}
	return value, nil
}

// hasLongEscape reports whether a valid text has an escape with a shorter spelling:
// \u00f8 and \/ have one, \n and \" do not.
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

// respell returns a text with the shortest escapes. A text that is no Unicode (half a
// surrogate pair) stays as it is: replacing it would make different texts look the
// same.
func respell(quoted []byte) []byte {
	text, err := jsontext.AppendUnquote(make([]byte, 0, len(quoted)), quoted)
	if err != nil {
		return quoted
	}
	// No error: the text is known to be Unicode.
	short, _ := jsontext.AppendQuote(make([]byte, 0, len(quoted)), text)
	return short
}
