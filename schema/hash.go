package schema

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Hash identifies the content of a row: the first 16 bytes of the SHA-256 of its
// canonical form. The zero Hash is no row's.
type Hash [16]byte

// stampName is the one member that is not content: the source stamps rows anew
// without changing them.
const stampName = "opdateringsdato"

// ContentHash hashes what a row says, not how it is spelled: the order of
// members, white space and escapes ("ø" or "\u00f8") make no difference, and the
// stamp is left out; null and "" differ. Numbers are compared as they are
// written, so 1.50 differs from 1.5. It returns an error for what is no JSON
// object.
func ContentHash(row []byte) (Hash, error) {
	canonical, err := canonicalRow(row)
	if err != nil {
		return Hash{}, fmt.Errorf("hash row: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return Hash(sum[:16]), nil
}

type member struct {
	name  []byte // quoted, canonical
	value []byte
}

// canonicalRow writes the members sorted by name, each value compact and with
// the shortest escapes.
func canonicalRow(row []byte) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(row), jsontext.AllowDuplicateNames(true))
	if token, err := dec.ReadToken(); err != nil {
		return nil, err
	} else if token.Kind() != '{' {
		return nil, fmt.Errorf("want an object, got %s", token.Kind())
	}
	members := make([]member, 0, 32)
	buf := make([]byte, 0, 2*len(row))
	for dec.PeekKind() == '"' {
		m, grown, err := readMember(dec, buf)
		if err != nil {
			return nil, err
		}
		buf = grown
		if !bytes.Equal(m.name, []byte(`"`+stampName+`"`)) {
			members = append(members, m)
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(members, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	out := make([]byte, 0, len(buf)+2*len(members))
	for _, m := range members {
		out = append(append(append(append(out, m.name...), ':'), m.value...), ',')
	}
	return out, nil
}

// readMember reads one name and value and keeps their canonical forms in buf.
func readMember(dec *jsontext.Decoder, buf []byte) (member, []byte, error) {
	name, err := dec.ReadValue()
	if err != nil {
		return member{}, buf, err
	}
	start := len(buf)
	buf = appendCanonical(buf, name)
	middle := len(buf)
	value, err := dec.ReadValue()
	if err != nil {
		return member{}, buf, err
	}
	buf = appendCanonical(buf, value)
	return member{buf[start:middle:middle], buf[middle:len(buf):len(buf)]}, buf, nil
}

// appendCanonical normalises a scalar's escapes; a nested value, which this
// source does not have, also loses its white space and its order of names.
func appendCanonical(dst []byte, v jsontext.Value) []byte {
	start := len(dst)
	dst = append(dst, v...)
	switch v.Kind() {
	case '"':
		if bytes.IndexByte(v, '\\') < 0 {
			return dst
		}
	case '{', '[':
	default:
		return dst
	}
	own := jsontext.Value(dst[start:len(dst):len(dst)])
	// Format fails on what is no JSON only, and the decoder has read this.
	_ = own.Format(jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(false), jsontext.ReorderRawObjects(v.Kind() != '"'))
	return append(dst[:start], own...)
}
