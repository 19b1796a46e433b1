package query

import (
	"time"

	"odastream/odata"
)

// turned has the operators of comparisons with their operands the other way round.
var turned = map[odata.Op]odata.Op{odata.Eq: odata.Eq, odata.Gt: odata.Lt, odata.Ge: odata.Le, odata.Lt: odata.Gt, odata.Le: odata.Ge}

// years returns a comparison of a time's year with a number as one of the time with the
// bounds of years, which an index serves. It is not ok for another comparison.
func (c *compiler) years(e *odata.Binary) (sql string, ok bool) {
	of, op, year, ok := yearOf(e)
	if !ok {
		return "", false
	}
	bound := func(sign string, year int64) string { return c.value(of, "timestamp") + sign + c.january(year) }
	switch op {
	case odata.Eq:
		sql = bound(" >= ", year) + " AND " + bound(" < ", year+1)
	case odata.Ge:
		sql = bound(" >= ", year)
	case odata.Gt:
		sql = bound(" >= ", year+1)
	case odata.Lt:
		sql = bound(" < ", year)
	case odata.Le:
		sql = bound(" < ", year+1)
	default:
		return "", false
	}
	return "(" + sql + ")", true
}

// yearOf returns the time whose year a comparison is of, and the number that it is compared
// with.
func yearOf(e *odata.Binary) (of odata.Expr, op odata.Op, year int64, ok bool) {
	l, op, r := e.L, e.Op, e.R
	if _, isCall := r.(*odata.Call); isCall {
		l, op, r = r, turned[op], l
	}
	call, isCall := l.(*odata.Call)
	literal, isLiteral := r.(*odata.Literal)
	if !isCall || !isLiteral || call.Func != "year" {
		return nil, op, 0, false
	}
	year, ok = literal.Value.(int64)
	return call.Args[0], op, year, ok && year >= 1 && year <= 9998
}

// january returns the beginning of a year.
func (c *compiler) january(year int64) string {
	return c.arg(time.Date(int(year), time.January, 1, 0, 0, 0, 0, time.UTC), "timestamp")
}
