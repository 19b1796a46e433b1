package odata

// condition checks that an expression can be true.
func (o option) condition(e Expr) error {
	if t := e.Type(); t != Bool && t != Null {
		return o.wrong(e.position(), "a condition is wanted, and this is %s", t)
	}
	return nil
}

// unary returns the checked expression of an operator before x.
func (o option) unary(op Op, x Expr, at int) (Expr, error) {
	t := x.Type()
	switch {
	case op == Not && t != Bool && t != Null:
		return nil, o.wrong(x.position(), "not takes a boolean, and this is %s", t)
	case op == Neg && !t.isNumeric() && t != Null:
		return nil, o.wrong(x.position(), "- takes a number, and this is %s", t)
	}
	return &Unary{Op: op, X: x, at: at}, nil
}

// binary returns the checked expression of an operator between two operands.
func (o option) binary(op Op, l, r Expr, at int) (Expr, error) {
	e := &Binary{Op: op, L: l, R: r, typ: Bool, at: at}
	switch op {
	case And, Or:
		for _, x := range []Expr{l, r} {
			if t := x.Type(); t != Bool && t != Null {
				return nil, o.wrong(x.position(), "%s takes booleans, and this is %s", op, t)
			}
		}
		return e, nil
	case Add, Sub, Mul, Div, Mod:
		return e, o.checkArithmetic(e)
	}
	if lt, rt := l.Type(), r.Type(); !comparable(op, lt, rt) {
		return nil, o.wrong(at, "%s does not compare %s with %s", op, lt, rt)
	}
	return e, nil
}

// checkArithmetic sets the type of arithmetic: Int only of two of them.
func (o option) checkArithmetic(e *Binary) error {
	e.typ = Int
	for _, x := range []Expr{e.L, e.R} {
		switch t := x.Type(); {
		case t == Number:
			e.typ = Number
		case t != Int && t != Null:
			return o.wrong(x.position(), "%s takes numbers, and this is %s", e.Op, t)
		}
	}
	return nil
}

// comparable reports whether an operator compares values of two types. Booleans have no
// order; nothing is before or after null, but that may be asked.
func comparable(op Op, l, r Type) bool {
	switch {
	case l == Null || r == Null:
		return true
	case l == Bool && r == Bool:
		return op == Eq || op == Ne
	}
	return l == r || l.isNumeric() && r.isNumeric()
}
