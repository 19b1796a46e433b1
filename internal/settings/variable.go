package settings

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

// variable is one environment variable and its field.
type variable struct {
	name     string // in full: "KAFKA_BROKERS"
	field    reflect.Value
	fallback string // the default, as it would be written
	help     string
	required bool
	secret   bool
	emptyOK  bool
	address  string // "postgres": a URL or a DSN that can be read; "": any text

	min, max, above string // bounds as written; "" for none
	oneof           []string
}

// variables returns the variables of a struct in the order of its fields.
func variables(s reflect.Value, prefix string) []variable {
	var out []variable
	for i := range s.NumField() {
		f := s.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		switch {
		case name == "-":
		case !f.IsExported() && !f.Anonymous:
			if name != "" {
				panic(fmt.Sprintf("settings: %s is the field %s, which nobody can fill: it is not exported", name, f.Name))
			}
		case nested(f):
			out = append(out, variables(s.Field(i), prefix+f.Tag.Get("envPrefix"))...)
		case name != "":
			out = append(out, newVariable(prefix+name, options, f, s.Field(i)))
		}
	}
	return out
}

// nested reports whether a field is a struct of settings, not a value.
func nested(f reflect.StructField) bool {
	return f.Type.Kind() == reflect.Struct && f.Tag.Get("env") == ""
}

func newVariable(name, options string, f reflect.StructField, field reflect.Value) variable {
	v := variable{
		name: name, field: field,
		fallback: f.Tag.Get("envDefault"), help: f.Tag.Get("help"),
		required: options == "required", secret: f.Tag.Get("secret") == "true", emptyOK: f.Tag.Get("emptyOK") == "true",
		address: f.Tag.Get("address"),
		min:     f.Tag.Get("min"), max: f.Tag.Get("max"), above: f.Tag.Get("above"),
	}
	if list := f.Tag.Get("oneof"); list != "" {
		v.oneof = strings.Split(list, ",")
	}
	if options != "" && options != "required" {
		panic(fmt.Sprintf("settings: %s has the unknown option %q", name, options))
	}
	return v
}

// isText reports whether the field's type has an UnmarshalText.
func (v variable) isText() bool {
	_, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.field.Addr())
	return ok
}

// inRange checks the field's value against min, max, above and oneof.
func (v variable) inRange() bool {
	if v.oneof != nil && !v.isOneOf() {
		return false
	}
	got, isNumber := number(v.field)
	if isNumber && (math.IsNaN(got) || math.IsInf(got, 0)) {
		return false
	}
	return (v.min == "" || got >= v.bound(v.min)) &&
		(v.max == "" || got <= v.bound(v.max)) &&
		(v.above == "" || got > v.bound(v.above))
}

func (v variable) isOneOf() bool {
	got := fmt.Sprint(v.field.Interface())
	for _, allowed := range v.oneof {
		if strings.EqualFold(got, allowed) {
			if v.field.Kind() == reflect.String {
				v.field.SetString(allowed) // so that the program sees one spelling only
			}
			return true
		}
	}
	return false
}

// bound parses a bound in the way of the variable itself.
func (v variable) bound(text string) float64 {
	dst := reflect.New(v.field.Type()).Elem()
	if err := v.set(dst, text); err != nil {
		panic(fmt.Sprintf("settings: bound %q of %s: %v", text, v.name, err))
	}
	n, ok := number(dst)
	if !ok {
		panic(fmt.Sprintf("settings: %s has a bound, but is a %s", v.name, v.field.Type()))
	}
	return n
}

func number(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// wanted returns what the variable accepts: "1 to 100000", "0s or more", "above 0s", "one
// of on, off", "a duration such as 5s".
func (v variable) wanted() string {
	switch {
	case v.oneof != nil:
		return "one of " + strings.Join(v.oneof, ", ")
	case v.min != "" && v.max != "":
		return v.min + " to " + v.max
	case v.above != "" && v.max != "":
		return "above " + v.above + ", at most " + v.max
	case v.above != "":
		return "above " + v.above
	case v.min != "":
		return v.min + " or more"
	case v.max != "":
		return "at most " + v.max
	}
	return v.kind()
}

func (v variable) kind() string {
	switch {
	case v.field.Type() == reflect.TypeFor[time.Duration]():
		return "a duration such as 5s, 10m or 24h"
	case v.field.Kind() == reflect.Bool:
		return "true or false"
	case v.field.CanInt(), v.field.CanUint():
		return "a whole number"
	case v.field.CanFloat():
		return "a number"
	case v.help != "":
		return v.help
	}
	return "a value"
}
