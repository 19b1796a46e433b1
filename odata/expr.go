package odata

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"odastream/schema"
)

// Expr is a checked expression: a *Literal, *Path, *Unary, *Binary, *Call or *Lambda.
// String writes it as OData; parsing that gives an equal expression.
type Expr interface {
	fmt.Stringer
	Type() Type
	position() int // in bytes of the option's text
}

// Op is an operator, in the word that OData has for it.
type Op string

// The operators.
const (
	Or  Op = "or"
	And Op = "and"
	Eq  Op = "eq"
	Ne  Op = "ne"
	Gt  Op = "gt"
	Ge  Op = "ge"
	Lt  Op = "lt"
	Le  Op = "le"
	Add Op = "add"
	Sub Op = "sub"
	Mul Op = "mul"
	Div Op = "div"
	Mod Op = "mod"
	Not Op = "not"
	Neg Op = "-"
)

type (
	// Literal is a value: nil, or of the Go type that its Type names.
	Literal struct {
		Value any
		typ   Type
		at    int
	}

	// Path is a field of a row, or of the one row that Links lead to.
	Path struct {
		Var   int // 0: the row that the expression is of; n: the row of the n-th Lambda around the path, from the outermost
		Links []schema.Link
		Field schema.Field
		at    int
	}

	// Unary is Not or Neg of X.
	Unary struct {
		Op Op
		X  Expr
		at int
	}

	// Binary is an operator with two operands.
	Binary struct {
		Op   Op
		L, R Expr
		typ  Type
		at   int
	}

	// Call is a function of arguments; String functions count characters from 0.
	Call struct {
		Func string // in lower case: "substringof"
		Args []Expr
		typ  Type
		at   int
	}

	// Lambda reports whether Body holds for any, or for all, of the rows that Many leads to
	// from the row at the end of Links.
	Lambda struct {
		Var   int // as in Path, of the row that Links start from
		Links []schema.Link
		Many  schema.Link
		All   bool
		Name  string // of the variable
		Depth int    // the Var of its rows within Body
		Body  Expr   // nil: any row
		at    int
	}
)

// Type returns the literal's own type.
func (e *Literal) Type() Type { return e.typ }

// Type returns the type of the field's values.
func (e *Path) Type() Type { return typeOf(e.Field.Type) }

// Type returns Bool for Not, and the type of X for Neg.
func (e *Unary) Type() Type {
	if e.Op == Not {
		return Bool
	}
	return e.X.Type()
}

// Type returns the type of the result.
func (e *Binary) Type() Type { return e.typ }

// Type returns the type of the function's result.
func (e *Call) Type() Type { return e.typ }

// Type returns Bool.
func (e *Lambda) Type() Type { return Bool }

func (e *Literal) position() int { return e.at }
func (e *Path) position() int    { return e.at }
func (e *Unary) position() int   { return e.at }
func (e *Binary) position() int  { return e.at }
func (e *Call) position() int    { return e.at }
func (e *Lambda) position() int  { return e.at }

// String writes the literal as OData.
func (e *Literal) String() string {
	switch v := e.Value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64) + "d"
	case time.Time:
		return "datetime'" + v.Format("2006-01-02T15:04:05.9999999") + "'"
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	}
	panic(fmt.Sprintf("odata: literal of Go type %T", e.Value)) // none is made
}

// String writes the path; a variable is named after its number.
func (e *Path) String() string { return pathText(e.Var, e.Links, e.Field.Name) }

// String writes the operator before X, in parentheses where that is more than a word.
func (e *Unary) String() string {
	if e.Op == Neg {
		return "-(" + e.X.String() + ")"
	}
	return "not (" + e.X.String() + ")"
}

// String writes the operator between its operands, each in parentheses if it is Binary.
func (e *Binary) String() string {
	return inParentheses(e.L) + " " + string(e.Op) + " " + inParentheses(e.R)
}

// String writes the call.
func (e *Call) String() string {
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = a.String()
	}
	return e.Func + "(" + strings.Join(args, ",") + ")"
}

// String writes the lambda; its variable is named after its number.
func (e *Lambda) String() string {
	path := pathText(e.Var, e.Links, e.Many.Name)
	switch {
	case e.Body == nil:
		return path + "/any()"
	case e.All:
		return path + "/all(" + variable(e.Depth) + ":" + e.Body.String() + ")"
	}
	return path + "/any(" + variable(e.Depth) + ":" + e.Body.String() + ")"
}

func inParentheses(e Expr) string {
	if _, ok := e.(*Binary); ok {
		return "(" + e.String() + ")"
	}
	return e.String()
}

func pathText(v int, links []schema.Link, last string) string {
	var b strings.Builder
	if v > 0 {
		b.WriteString(variable(v) + "/")
	}
	for _, l := range links {
		b.WriteString(l.Name + "/")
	}
	return b.String() + last
}

func variable(depth int) string { return "x" + strconv.Itoa(depth) }
