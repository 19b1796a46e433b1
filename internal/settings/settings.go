package settings

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Error holds all faults of a program's settings.
type Error struct {
	Faults []string // one line each: "POLL_INTERVAL is -1s, want above 0s"
}

// Error returns all faults, a line each.
func (e *Error) Error() string { return strings.Join(e.Faults, "\n") }

// Join joins several errors of Parse into one *Error; nil if all are nil.
func Join(errs ...error) error {
	var all Error
	for _, err := range errs {
		if bad, ok := errors.AsType[*Error](err); ok {
			all.Faults = append(all.Faults, bad.Faults...)
		}
	}
	if len(all.Faults) == 0 {
		return nil
	}
	return &all
}

// faulty is what a struct implements to check its fields against each other. It is called
// only if each field by itself is valid.
type faulty interface{ Faults() []string }

// Parse fills the struct that into points to from environ ("NAME=value", as os.Environ
// gives it; if a name occurs twice, the last counts). Its error is an *Error; into is
// then filled in part. It panics if into is not a pointer to a struct or a tag is
// invalid: both are bugs.
func Parse(environ []string, into any) error {
	root := reflect.ValueOf(into).Elem()
	values := env.ToMap(environ)
	var faults []string
	for _, v := range variables(root, "") {
		if fault := v.parse(values); fault != "" {
			faults = append(faults, fault)
		}
	}
	if len(faults) == 0 {
		faults = crossFaults(root, "")
	}
	if len(faults) > 0 {
		return &Error{Faults: faults}
	}
	return nil
}

// parse sets one field; a fault is a line that begins with the variable's name.
func (v variable) parse(values map[string]string) string {
	raw, set := values[v.name]
	if v.field.Kind() != reflect.String {
		raw = strings.TrimSpace(raw)
	}
	if raw == "" && set && v.emptyOK {
		v.field.SetZero()
		return ""
	}
	if raw == "" {
		raw = v.fallback
	}
	if raw == "" {
		if v.required {
			return v.name + " is not set, want " + v.wanted()
		}
		return ""
	}
	if err := v.set(v.field, raw); err != nil {
		return v.fault(raw, v.complaint(err))
	}
	if v.address == "postgres" {
		if err := CheckPostgres(v.field.String()); err != nil {
			return v.fault(raw, err.Error())
		}
	}
	if !v.inRange() {
		return v.fault(raw, "want "+v.wanted())
	}
	return ""
}

func (v variable) fault(raw, complaint string) string {
	if v.secret {
		raw = "set, but not right"
	} else if v.field.Kind() == reflect.String || strings.ContainsAny(raw, " \t\n\"") || complaint == "" {
		raw = fmt.Sprintf("%q", raw)
	}
	return v.name + " is " + raw + ", " + complaint
}

// complaint returns what is wanted, or the error of the type's own UnmarshalText.
func (v variable) complaint(err error) string {
	var parse env.ParseError
	if v.isText() && errors.As(err, &parse) && !v.secret {
		return parse.Err.Error()
	}
	return "want " + v.wanted()
}

// set parses raw by the rules of caarlos0/env into dst, which is of the field's type. It
// sets one field at a time, so that the error is about that variable.
func (v variable) set(dst reflect.Value, raw string) error {
	one := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: "Value", Type: v.field.Type(), Tag: `env:"VALUE"`,
	}}))
	err := env.ParseWithOptions(one.Interface(), env.Options{Environment: map[string]string{"VALUE": raw}})
	if err != nil {
		var all env.AggregateError
		if errors.As(err, &all) && len(all.Errors) > 0 {
			return all.Errors[0]
		}
		return err
	}
	dst.Set(one.Elem().Field(0))
	if list, ok := reflect.TypeAssert[[]string](dst); ok {
		for i := range list { // "a, b" means "a,b"
			list[i] = strings.TrimSpace(list[i])
		}
	}
	return nil
}

// inBraces matches a variable's name in a line of Faults.
var inBraces = regexp.MustCompile(`\{([A-Z0-9_]+)\}`)

// crossFaults calls Faults of every struct, the inner ones first.
func crossFaults(s reflect.Value, prefix string) []string {
	var faults []string
	for i := range s.NumField() {
		f := s.Type().Field(i)
		if (f.IsExported() || f.Anonymous) && nested(f) {
			faults = append(faults, crossFaults(s.Field(i), prefix+f.Tag.Get("envPrefix"))...)
		}
	}
	if !s.Addr().CanInterface() { // embedded by a name that is not exported
		return faults
	}
	checked, ok := reflect.TypeAssert[faulty](s.Addr())
	if !ok {
		return faults
	}
	for _, line := range checked.Faults() {
		faults = append(faults, inBraces.ReplaceAllString(line, prefix+"$1"))
	}
	return faults
}
