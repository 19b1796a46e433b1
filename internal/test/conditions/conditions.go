// Package conditions draws expressions of the source's language, for property tests.
//
// Invariant: each expression that it draws is read, and has the type that was asked for.
// It knows nothing of who evaluates them.
package conditions

import (
	"strings"

	"pgregory.net/rapid"

	"odastream/odata"
)

// Leaves are expressions without parts, by their types. They are of rows of Sag.
type Leaves map[odata.Type][]string

// Draw draws an expression of a type, nested to a depth.
func (l Leaves) Draw(t *rapid.T, typ odata.Type, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom(l[typ]).Draw(t, "leaf")
	}
	sub := func(typ odata.Type) string { return "(" + l.Draw(t, typ, depth-1) + ")" }
	op := func(ops ...string) string { return " " + rapid.SampledFrom(ops).Draw(t, "operator") + " " }
	draws := map[odata.Type][]func() string{
		odata.Bool: {
			func() string { return sub(odata.Bool) + op("and", "or", "eq", "ne") + sub(odata.Bool) },
			func() string { return "not " + sub(odata.Bool) },
			func() string { return sub(odata.Int) + op("eq", "ne", "gt", "ge", "lt", "le") + sub(odata.Number) },
			func() string { return sub(odata.Text) + op("eq", "ne", "gt", "ge", "lt", "le") + sub(odata.Text) },
			func() string { return sub(odata.Time) + op("eq", "ne", "gt", "ge", "lt", "le") + sub(odata.Time) },
			func() string {
				return op("substringof", "startswith", "endswith") + "(" + sub(odata.Text) + "," + sub(odata.Text) + ")"
			},
			func() string { return "Sagstrin/" + op("any", "all") + "(s:" + sub(odata.Bool) + ")" },
		},
		odata.Int: {
			func() string { return sub(odata.Int) + op("add", "sub", "mul", "div", "mod") + sub(odata.Int) },
			func() string { return "-" + sub(odata.Int) },
			func() string { return "length(" + sub(odata.Text) + ")" },
			func() string { return "indexof(" + sub(odata.Text) + "," + sub(odata.Text) + ")" },
			func() string { return op("year", "second") + "(" + sub(odata.Time) + ")" },
		},
		odata.Number: {
			func() string { return sub(odata.Number) + op("add", "sub", "mul", "div", "mod") + sub(odata.Int) },
			func() string { return op("round", "floor", "ceiling") + "(" + sub(odata.Number) + ")" },
		},
		odata.Text: {
			func() string { return op("tolower", "toupper", "trim") + "(" + sub(odata.Text) + ")" },
			func() string { return "concat(" + sub(odata.Text) + "," + sub(odata.Text) + ")" },
			func() string {
				return "replace(" + sub(odata.Text) + "," + sub(odata.Text) + "," + sub(odata.Text) + ")"
			},
			func() string { return "substring(" + sub(odata.Text) + "," + sub(odata.Int) + ")" },
		},
		odata.Time: {func() string { return l.Draw(t, odata.Time, 0) }},
	}
	return strings.ReplaceAll(rapid.SampledFrom(draws[typ]).Draw(t, "form")(), "/ ", "/")
}
