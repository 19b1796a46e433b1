package odata

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Type is the type of an expression.
type Type int

// The types of expressions. Any value of any type may be null.
const (
	Null   Type = iota // the literal null, which fits each type
	Bool               // a bool
	Int                // an int64
	Number             // a float64
	Text               // a string
	Time               // a time.Time in UTC that holds the source's wall clock, which has no zone
)

var typeNames = [...]string{"null", "a boolean", "a whole number", "a number", "a text", "a time"}

// String is the type as an error names it.
func (t Type) String() string { return typeNames[t] }

// isNumeric reports whether t is a kind of number.
func (t Type) isNumeric() bool { return t == Int || t == Number }

// typeOf returns the type of a field's values.
func typeOf(edm string) Type {
	switch edm {
	case "Edm.Boolean":
		return Bool
	case "Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Byte":
		return Int
	case "Edm.Decimal", "Edm.Double", "Edm.Single":
		return Number
	case "Edm.DateTime":
		return Time
	}
	return Text
}

// numberOf returns the value of a number as it is written: an Int, or a Number where it
// has a point, an exponent or the suffix of one.
func (o option) numberOf(t token) (*Literal, error) {
	text := strings.TrimRight(t.text, "LlMmDdFf")
	suffix := strings.ToLower(t.text[len(text):])
	if suffix == "l" || suffix == "" && !strings.ContainsAny(text, ".eE") {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, o.wrong(t.at, "%s is not a whole number from -2⁶³ to 2⁶³-1", t)
		}
		return &Literal{at: t.at, typ: Int, Value: n}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, o.wrong(t.at, "%s is not a number", t)
	}
	return &Literal{at: t.at, typ: Number, Value: f}, nil
}

// A time has a date, and a time of the day to the minute, to the second or to up to seven
// decimals of it. A Z behind it is left aside, as the source does.
var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,7})?)?)?[Zz]?$`)

var timeLayouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}

// ParseTime returns the time that a datetime literal, or a stamp of the source, writes:
// its wall clock in UTC.
func ParseTime(text string) (t time.Time, ok bool) {
	if !timeForm.MatchString(text) {
		return t, false
	}
	text = strings.Replace(strings.TrimRight(text, "Zz"), " ", "T", 1)
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return t, false
}

// timeOf returns the value of datetime'…'.
func (o option) timeOf(t token) (*Literal, error) {
	v, ok := ParseTime(t.text)
	if !ok {
		return nil, o.wrong(t.at, "%s is not a time of the form 2026-01-31T12:00:00.123", t)
	}
	return &Literal{at: t.at, typ: Time, Value: v}, nil
}
