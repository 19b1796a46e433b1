package schema

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

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
	canonical, err := canonicalRow(row)
	if err != nil {
		return Hash{}, fmt.Errorf("hash row: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return Hash(sum[:16]), nil
}

// member is one member of a row in canonical spelling, the name with its quotes.
type member struct {
	name, value []byte
}

// usualMembers is above the 29 that Sag has, the widest of the source's sets.
const usualMembers = 32

// canonicalRow writes the members sorted by name, each value compact and with
// the shortest escapes. What it writes is part of every ledger: a change of it
// makes each row of each entity look changed.
func canonicalRow(row []byte) ([]byte, error) {
	members, err := readMembers(make([]member, 0, usualMembers), row)
	if err != nil {
		return nil, err
	}
	return canonical(members, len(row)), nil
}

// canonical writes members sorted by name; size is about how long they are.
func canonical(members []member, size int) []byte {
	out := make([]byte, 0, size+2*len(members))
	for _, i := range byName(members) {
		m := members[i]
		out = append(append(append(append(out, m.name...), ':'), m.value...), ',')
	}
	return out
}

// byName returns the places of members in the order of their names. To move
// places is cheaper than to move members: it takes a fifth of the whole hash.
func byName(members []member) []int {
	order := make([]int, 0, usualMembers)
	for i := range members {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int {
		// Of a name that occurs twice the first stays first.
		return cmp.Or(bytes.Compare(members[a].name, members[b].name), a-b)
	})
	return order
}

// readMembers appends the members of row to dst. They share memory with row
// where that is canonical already.
func readMembers(dst []member, row []byte) ([]member, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(row), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if token, err := dec.ReadToken(); err != nil {
		return nil, err
	} else if token.Kind() != jsontext.KindBeginObject {
		return nil, fmt.Errorf("want an object, got %s", token.Kind())
	}
	for dec.PeekKind() == jsontext.KindString {
		name, err := readCanonical(dec, row)
		if err != nil {
			return nil, err
		}
		value, err := readCanonical(dec, row)
		if err != nil {
			return nil, err
		}
		if string(name) != stampName {
			dst = append(dst, member{name, value})
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the object is not all there is")
	}
	return dst, nil
}

// readCanonical reads the next value of row in its canonical spelling: a text
// with the shortest escapes, a nested value, which this source does not have,
// also without white space and with its names sorted.
func readCanonical(dec *jsontext.Decoder, row []byte) ([]byte, error) {
	read, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	// What the decoder returns lasts until its next read; row lasts.
	end := int(dec.InputOffset())
	value := row[end-len(read) : end : end]
	switch jsontext.Value(value).Kind() {
	case jsontext.KindString:
		if bytes.IndexByte(value, '\\') >= 0 {
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
