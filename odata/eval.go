package odata

import (
	"math"
	"math/big"
	"time"

	"odastream/schema"
)

// Record is a row that expressions are evaluated for.
type Record interface {
	// Field returns a field's value: nil, or of the Go type that its Type names.
	Field(f schema.Field) any
	// Linked returns the rows that a link leads to.
	Linked(l schema.Link) []Record
}

// Holds reports whether a condition is true for a row; null is not. A nil condition
// holds for every row.
func Holds(condition Expr, row Record) bool {
	return condition == nil || Eval(condition, row) == true
}

// Eval returns what an expression gives for a row: nil for null, or a value of the Go type
// that the expression's Type names. It is the plain meaning of the language: what a
// database is asked in its own words must give the same.
//
// A condition on null is false, but eq and ne compare null like a value; not, arithmetic
// and functions of null are null; and so is what has no value, as a division by zero. and
// and or are three-valued.
func Eval(e Expr, row Record) any { return scope{row}.eval(e) }

// scope is the row of each variable.
type scope []Record

func (s scope) eval(e Expr) any {
	switch e := e.(type) {
	case *Literal:
		return e.Value
	case *Path:
		if r := follow(s[e.Var], e.Links); r != nil {
			return r.Field(e.Field)
		}
		return nil
	case *Unary:
		return evalUnary(e.Op, s.eval(e.X))
	case *Binary:
		return s.binary(e)
	case *Call:
		return s.call(e)
	case *Lambda:
		return s.lambda(e)
	}
	panic("odata: unknown kind of expression") // Expr has no other
}

// follow returns the row at the end of links to one row each; nil if there is none.
func follow(r Record, links []schema.Link) Record {
	for _, l := range links {
		rows := r.Linked(l)
		if len(rows) == 0 {
			return nil
		}
		r = rows[0]
	}
	return r
}

func evalUnary(op Op, x any) any {
	switch x := x.(type) {
	case bool:
		return !x
	case int64:
		if op == Neg && x != math.MinInt64 {
			return -x
		}
	case float64:
		return -x
	}
	return nil
}

func (s scope) binary(e *Binary) any {
	l := s.eval(e.L)
	if b, ok := l.(bool); ok && (e.Op == And && !b || e.Op == Or && b) {
		return b
	}
	r := s.eval(e.R)
	switch e.Op {
	case And, Or:
		return logic(e.Op, l, r)
	case Add, Sub, Mul, Div, Mod:
		return arithmetic(e.Op, l, r)
	}
	return holds(e.Op, l, r)
}

// logic returns the result of and or or, of whose operands the left one does not decide.
func logic(op Op, l, r any) any {
	switch {
	case r == (op == Or):
		return r
	case l == nil || r == nil:
		return nil
	}
	return r
}

// holds returns the result of a comparison.
func holds(op Op, l, r any) bool {
	switch op {
	case Eq:
		return equal(l, r)
	case Ne:
		return !equal(l, r)
	}
	if l == nil || r == nil {
		return false
	}
	switch c := compareValues(l, r); op {
	case Gt:
		return c > 0
	case Ge:
		return c >= 0
	case Lt:
		return c < 0
	default:
		return c <= 0
	}
}

// lambda evaluates any and all; all holds unless the condition fails for a row.
func (s scope) lambda(e *Lambda) any {
	from := follow(s[e.Var], e.Links)
	if from == nil {
		return e.All
	}
	for _, row := range from.Linked(e.Many) {
		holds := e.Body == nil || append(s[:e.Depth:e.Depth], row).eval(e.Body) == true
		if holds != e.All {
			return holds
		}
	}
	return e.All
}

// arithmetic returns nil for null operands and for what has no value.
func arithmetic(op Op, l, r any) any {
	a, aInt := l.(int64)
	b, bInt := r.(int64)
	if aInt && bInt {
		return whole(op, a, b)
	}
	x, ok := float(l)
	y, okY := float(r)
	if !ok || !okY {
		return nil
	}
	return finite(floating(op, x, y))
}

func floating(op Op, x, y float64) float64 {
	switch op {
	case Add:
		return x + y
	case Sub:
		return x - y
	case Mul:
		return x * y
	case Div:
		return x / y
	}
	return math.Mod(x, y)
}

// finite returns nil for what is no number.
func finite(f float64) any {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil
	}
	return f
}

// whole returns the result of arithmetic with whole numbers; a quotient is truncated.
// Beyond 64 bits it is nil.
func whole(op Op, a, b int64) any {
	x, y := big.NewInt(a), big.NewInt(b)
	switch op {
	case Add:
		x.Add(x, y)
	case Sub:
		x.Sub(x, y)
	case Mul:
		x.Mul(x, y)
	default:
		if b == 0 {
			return nil
		}
		quotient, remainder := x.QuoRem(x, y, new(big.Int))
		if x = quotient; op == Mod {
			x = remainder
		}
	}
	if !x.IsInt64() {
		return nil
	}
	return x.Int64()
}

// float returns a number as a float64.
func float(v any) (f float64, ok bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// equal compares two values; null equals null alone, and texts equal without regard to
// case.
func equal(l, r any) bool {
	switch a := l.(type) {
	case string:
		b, ok := r.(string)
		return ok && fold(a) == fold(b)
	case time.Time:
		b, ok := r.(time.Time)
		return ok && a.Equal(b)
	case nil, bool:
		return l == r
	}
	return r != nil && compareNumbers(l, r) == 0
}
