package odata

import (
	"maps"
	"slices"
	"strings"
)

// signature is the types of a function's arguments and of its result. A Number takes an
// Int too.
type signature struct {
	args   []Type
	result Type
}

// functions are the functions of OData v3 that design.md names, each with its
// signatures. The result of a function of a number has the number's type where the
// signatures say so.
var functions = map[string][]signature{
	"substringof": {{[]Type{Text, Text}, Bool}}, // the first is part of the second
	"startswith":  {{[]Type{Text, Text}, Bool}},
	"endswith":    {{[]Type{Text, Text}, Bool}},
	"indexof":     {{[]Type{Text, Text}, Int}},
	"length":      {{[]Type{Text}, Int}},
	"tolower":     {{[]Type{Text}, Text}},
	"toupper":     {{[]Type{Text}, Text}},
	"trim":        {{[]Type{Text}, Text}},
	"concat":      {{[]Type{Text, Text}, Text}},
	"replace":     {{[]Type{Text, Text, Text}, Text}},
	"substring":   {{[]Type{Text, Int}, Text}, {[]Type{Text, Int, Int}, Text}},
	"year":        {{[]Type{Time}, Int}},
	"month":       {{[]Type{Time}, Int}},
	"day":         {{[]Type{Time}, Int}},
	"hour":        {{[]Type{Time}, Int}},
	"minute":      {{[]Type{Time}, Int}},
	"second":      {{[]Type{Time}, Int}},
	"round":       {{[]Type{Number}, Number}},
	"floor":       {{[]Type{Number}, Number}},
	"ceiling":     {{[]Type{Number}, Number}},
}

func functionNames() []string { return slices.Sorted(maps.Keys(functions)) }

// accepts reports whether arguments have the types of the signature.
func (s signature) accepts(args []Expr) bool {
	if len(args) != len(s.args) {
		return false
	}
	for i, a := range args {
		t := a.Type()
		if fits := t == s.args[i] || t == Null || s.args[i] == Number && t == Int; !fits {
			return false
		}
	}
	return true
}

// call returns the checked call of a function whose name stands at a token.
func (o option) call(name token, args []Expr) (Expr, error) {
	signatures, known := functions[name.text]
	if !known {
		err := o.wrong(name.at, "unknown function %s", name)
		if name.text == "contains" {
			err.What += ", which is of OData v4: write substringof('text',field)"
		}
		err.Allowed = functionNames()
		return nil, err
	}
	for _, s := range signatures {
		if s.accepts(args) {
			return &Call{Func: name.text, Args: args, typ: s.result, at: name.at}, nil
		}
	}
	err := o.wrong(name.at, "%s does not take these arguments", name.text)
	for _, s := range signatures {
		err.Allowed = append(err.Allowed, s.write(name.text))
	}
	return nil, err
}

// write returns the signature as an error names it.
func (s signature) write(name string) string {
	types := make([]string, len(s.args))
	for i, t := range s.args {
		types[i] = t.String()
	}
	return name + "(" + strings.Join(types, ", ") + ")"
}
