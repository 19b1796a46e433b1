package odasim

import (
	"cmp"
	"strings"
)

// idFilter compares the id with a number.
type idFilter struct {
	op    operator
	value int64
}

func (f idFilter) match(r row) bool { return f.op.holds(cmp.Compare(r.id, f.value)) }
func (f idFilter) reads() bool      { return false }

func (f idFilter) bounds() bounds {
	from, to, ok := f.op.span(f.value, minID, maxID)
	if !ok {
		return loose()
	}
	b := everything()
	b.minID, b.maxID = from, to
	b.first.id = from
	return b
}

// stampFilter compares opdateringsdato with a moment. A null stamp matches only ne, as in
// OData.
type stampFilter struct {
	op    operator
	value moment
}

func (f stampFilter) match(r row) bool {
	if r.stamp == noMoment {
		return f.op == notEqual
	}
	return f.op.holds(cmp.Compare(r.stamp, f.value))
}

func (f stampFilter) reads() bool { return false }

func (f stampFilter) bounds() bounds {
	from, to, ok := f.op.span(f.value, firstMoment, lastMoment)
	if !ok {
		return loose()
	}
	b := everything()
	b.minStamp, b.maxStamp = from, to
	b.first.stamp = from
	return b
}

// nullFilter compares a field with null: equal or not equal.
type nullFilter struct {
	field string
	op    operator
}

func (f nullFilter) match(r row) bool {
	v, found := member(r.data, f.field)
	return (!found || string(v) == "null") == (f.op == equal)
}

func (f nullFilter) bounds() bounds { return loose() }
func (f nullFilter) reads() bool    { return true }

// fieldFilter compares any other field with a literal of its type.
type fieldFilter struct {
	field string
	op    operator
	value literal
}

func (f fieldFilter) match(r row) bool {
	raw, found := member(r.data, f.field)
	if !found {
		return f.op == notEqual
	}
	have, ok := valueOf(raw, f.value.kind)
	if !ok {
		return f.op == notEqual
	}
	return f.op.holds(compareLiterals(have, f.value))
}

func (f fieldFilter) bounds() bounds { return loose() }
func (f fieldFilter) reads() bool    { return true }

// literalKind is the type of a literal.
type literalKind int

const (
	numberLiteral literalKind = iota
	textLiteral
	boolLiteral
	momentLiteral
	nullLiteral
)

// literal is a value in a filter, or a row's value to compare with one.
type literal struct {
	kind   literalKind
	number int64 // also holds true as 1, and a moment
	text   string
}

// compareLiterals orders two values of one kind. The case of text is ignored, as by the
// source's Danish collation.
func compareLiterals(a, b literal) int {
	if a.kind == textLiteral {
		return strings.Compare(strings.ToLower(a.text), strings.ToLower(b.text))
	}
	return cmp.Compare(a.number, b.number)
}

// kindOf returns the kind of the literals that a field of an Edm type is compared with.
func kindOf(edm string) (literalKind, bool) {
	switch edm {
	case "Edm.Byte", "Edm.Int16", "Edm.Int32", "Edm.Int64":
		return numberLiteral, true
	case "Edm.String":
		return textLiteral, true
	case "Edm.Boolean":
		return boolLiteral, true
	case "Edm.DateTime":
		return momentLiteral, true
	default:
		return 0, false
	}
}
