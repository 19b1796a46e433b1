package query

import (
	"fmt"
	"strings"

	"odastream/odata"
)

// value returns the value of an expression as a Postgres type.
func (c *compiler) value(e odata.Expr, typ string) string {
	switch e := e.(type) {
	case *odata.Literal:
		return c.arg(e.Value, typ)
	case *odata.Path:
		text := field(c.follow(e.Var, e.Links), e.Field)
		if typ == "double precision" {
			text = cast(text, typ)
		}
		return text
	case *odata.Unary:
		if e.Op == odata.Neg {
			return c.negative(e, typ)
		}
	case *odata.Binary:
		if op, ok := arithmetic[e.Op]; ok {
			return cast(c.compute(e, op), typ)
		}
	case *odata.Call:
		return cast(c.call(e), typ)
	}
	return c.condition(e, exact)
}

func cast(sql, typ string) string { return "(" + sql + ")::" + typ }

// negative returns the negative of a number; null has none.
func (c *compiler) negative(e *odata.Unary, typ string) string {
	switch e.Type() {
	case odata.Null:
		return c.arg(nil, typ)
	case odata.Number:
		return cast("-"+c.value(e.X, "double precision"), typ)
	}
	return cast(c.whole("-"+cast(c.value(e.X, "bigint"), "numeric")), typ)
}

// arithmetic has for each operator its form on decimals and on binary numbers.
var arithmetic = map[odata.Op][2]string{
	odata.Add: {"%s + %s", "%s + %s"},
	odata.Sub: {"%s - %s", "%s - %s"},
	odata.Mul: {"%s * %s", "%s * %s"},
	odata.Div: {"div(%s, NULLIF(%s, 0))", "%s / NULLIF(%s, 0)"},
	odata.Mod: {"mod(%s, NULLIF(%s, 0))", "mod(%s::numeric, NULLIF(%s, 0)::numeric)"},
}

// compute returns the result of arithmetic. That of whole numbers is computed in
// decimals, which do not overflow.
func (c *compiler) compute(e *odata.Binary, form [2]string) string {
	if e.Type() == odata.Int {
		return c.whole(fmt.Sprintf(form[0], cast(c.value(e.L, "bigint"), "numeric"), cast(c.value(e.R, "bigint"), "numeric")))
	}
	return fmt.Sprintf(form[1], c.value(e.L, "double precision"), c.value(e.R, "double precision"))
}

// whole returns a decimal as a whole number; null beyond 64 bits.
func (c *compiler) whole(decimal string) string {
	return "(SELECT CASE WHEN v BETWEEN -9223372036854775808 AND 9223372036854775807 THEN v::bigint END FROM (VALUES (" + decimal + ")) AS w (v) WHERE " + c.ofEachRow() + ")"
}

// functions has the form of each function on arguments of SQL. Texts of what ends with a
// small l are in lower case.
var functions = map[string]string{
	"substringof": "strpos({1l}, {0l}) > 0",
	"startswith":  "starts_with({0l}, {1l})",
	"endswith":    "right({0l}, length({1l})) = {1l}",
	"indexof":     "strpos({0l}, {1l}) - 1",
	"length":      "length({0})",
	"tolower":     "lower({0} " + danish + ")",
	"toupper":     "upper({0} " + danish + ")",
	"trim":        "btrim({0}, ' ')",
	"concat":      "({0} || {1})",
	"replace":     `CASE WHEN {1} = '' AND {2} IS NOT NULL THEN {0} ELSE regexp_replace({0}, regexp_replace({1}, '([^[:alnum:]])', '\\\1', 'g'), replace({2}, '\', '\\'), 'gi') END`,
	"year":        "extract(year FROM {0})",
	"month":       "extract(month FROM {0})",
	"day":         "extract(day FROM {0})",
	"hour":        "extract(hour FROM {0})",
	"minute":      "extract(minute FROM {0})",
	"second":      "trunc(extract(second FROM {0}))",
	"round":       "round({0}::numeric)",
	"floor":       "floor({0})",
	"ceiling":     "ceiling({0})",
}

// call returns the result of a function.
func (c *compiler) call(e *odata.Call) string {
	if e.Func == "substring" {
		return c.substring(e.Args)
	}
	var names []string
	for i, a := range e.Args {
		value := c.value(a, argumentType(e.Func, a.Type()))
		names = append(names, fmt.Sprintf("{%d}", i), value, fmt.Sprintf("{%dl}", i), lower(value))
	}
	return strings.NewReplacer(names...).Replace(functions[e.Func])
}

// argumentType returns the Postgres type of an argument; one of null has that of the
// function's other arguments.
func argumentType(name string, t odata.Type) string {
	switch name {
	case "year", "month", "day", "hour", "minute", "second":
		return "timestamp"
	case "round", "floor", "ceiling":
		return "double precision"
	}
	if t == odata.Null {
		return "text"
	}
	return postgresType(t)
}

// substring returns a part of a text. Places beyond a thousand million lie outside it in
// any case.
func (c *compiler) substring(args []odata.Expr) string {
	const most = 1_000_000_000
	text, from := c.value(args[0], "text"), c.within(c.value(args[1], "bigint"), -most, most)
	if len(args) == 2 {
		return "substr(" + text + ", " + from + " + 1)"
	}
	return "substr(" + text + ", " + from + " + 1, " + c.within(c.value(args[2], "bigint"), 0, most) + ")"
}

// within returns the nearest integer to a number between two others; null for null, which
// LEAST and GREATEST leave aside.
func (c *compiler) within(number string, low, high int) string {
	return fmt.Sprintf("(SELECT CASE WHEN v IS NOT NULL THEN LEAST(GREATEST(v, %d), %d)::integer END FROM (VALUES (%s)) AS w (v) WHERE %s)", low, high, number, c.ofEachRow())
}
