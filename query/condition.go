package query

import (
	"fmt"
	"strings"

	"odastream/odata"
)

// truth says whether a condition may be null where it is to be false.
type truth bool

// Where only true counts, a loose condition is as good, and an index can serve it.
const (
	loose truth = false
	exact truth = true
)

// condition returns an expression of type Bool.
func (c *compiler) condition(e odata.Expr, t truth) string {
	switch e := e.(type) {
	case *odata.Unary:
		if e.Op == odata.Not {
			return "(NOT " + c.condition(e.X, exact) + ")"
		}
	case *odata.Binary:
		return c.binary(e, t)
	case *odata.Lambda:
		return c.lambda(e)
	}
	return c.value(e, "boolean")
}

func (c *compiler) binary(e *odata.Binary, t truth) string {
	if t == loose {
		if sql, ok := c.years(e); ok {
			return sql
		}
	}
	switch e.Op {
	case odata.And:
		return "(" + c.condition(e.L, t) + " AND " + c.condition(e.R, t) + ")"
	case odata.Or:
		return c.or(e, t)
	case odata.Eq:
		return c.equal(e, t)
	case odata.Ne:
		return "(NOT " + c.equal(e, exact) + ")"
	}
	l, r := c.operands(e)
	signs := map[odata.Op]string{odata.Gt: ">", odata.Ge: ">=", odata.Lt: "<", odata.Le: "<="}
	compared := "(" + l + " " + signs[e.Op] + " " + r + ")"
	if t == loose {
		return compared
	}
	return "COALESCE(" + compared + ", false)"
}

// equal returns the condition that two operands are equal, null with null.
func (c *compiler) equal(e *odata.Binary, t truth) string {
	l, r := c.operands(e)
	if t == loose && (isValue(e.L) || isValue(e.R)) {
		return "(" + l + " = " + r + ")"
	}
	return "(" + l + " IS NOT DISTINCT FROM " + r + ")"
}

// isValue reports whether an operand is a literal other than null.
func isValue(e odata.Expr) bool {
	l, ok := e.(*odata.Literal)
	return ok && l.Value != nil
}

// operands returns the operands of a comparison, in one type.
func (c *compiler) operands(e *odata.Binary) (l, r string) {
	typ := comparedType(e.L.Type(), e.R.Type())
	return c.sortable(e.L, typ), c.sortable(e.R, typ)
}

// comparedType returns the Postgres type in which values of two types compare.
func comparedType(l, r odata.Type) string {
	switch {
	case l == odata.Null:
		return postgresType(r)
	case r == odata.Null:
		return postgresType(l)
	case l == odata.Number || r == odata.Number:
		return postgresType(odata.Number)
	}
	return postgresType(l)
}

func postgresType(t odata.Type) string {
	switch t {
	case odata.Bool:
		return "boolean"
	case odata.Int:
		return "bigint"
	case odata.Number:
		return "double precision"
	case odata.Time:
		return "timestamp"
	}
	return "text"
}

// sortable returns a value in the form in which values of its type compare.
func (c *compiler) sortable(e odata.Expr, typ string) string {
	switch typ {
	case "text":
		return lower(c.value(e, typ))
	case "boolean":
		return c.condition(e, exact)
	}
	return c.value(e, typ)
}

func lower(text string) string { return "lower(" + text + " " + danish + ")" }

// or returns a chain of or. Its comparisons of one field with numbers are one: clients
// send hundreds of ids in a chain.
func (c *compiler) or(e *odata.Binary, t truth) string {
	var parts, order []string
	numbers := map[string][]int64{}
	fields := map[string]*odata.Path{}
	for _, part := range alternatives(e) {
		path, n, ok := isNumber(part)
		if !ok {
			parts = append(parts, c.condition(part, t))
			continue
		}
		key := path.String()
		if fields[key] == nil {
			fields[key] = path
			order = append(order, key)
		}
		numbers[key] = append(numbers[key], n)
	}
	for _, key := range order {
		among := fmt.Sprintf("(%s = ANY (%s))", c.value(fields[key], "bigint"), c.arg(numbers[key], "bigint[]"))
		if t == exact {
			among = "COALESCE(" + among + ", false)"
		}
		parts = append(parts, among)
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// alternatives returns the operands of a chain of or.
func alternatives(e odata.Expr) []odata.Expr {
	if b, ok := e.(*odata.Binary); ok && b.Op == odata.Or {
		return append(alternatives(b.L), alternatives(b.R)...)
	}
	return []odata.Expr{e}
}

// isNumber reports whether a condition is that a field equals a whole number.
func isNumber(e odata.Expr) (field *odata.Path, n int64, ok bool) {
	b, isBinary := e.(*odata.Binary)
	if !isBinary || b.Op != odata.Eq {
		return nil, 0, false
	}
	l, r := b.L, b.R
	if _, isLiteral := l.(*odata.Literal); isLiteral {
		l, r = r, l
	}
	path, isPath := l.(*odata.Path)
	value, isLiteral := r.(*odata.Literal)
	if !isPath || !isLiteral || path.Type() != odata.Int {
		return nil, 0, false
	}
	n, ok = value.Value.(int64)
	return path, n, ok
}
