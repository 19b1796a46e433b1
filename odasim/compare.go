package odasim

import (
	"cmp"
	"time"

	"odastream/odata"
)

// idFilter compares the id with a number.
type idFilter struct {
	op    operator
	value int64
}

func (f idFilter) match(r row) bool { return f.op.holds(cmp.Compare(r.id, f.value)) }
func (f idFilter) reads() bool      { return false }

func (f idFilter) bounds() bounds {
	from, to, ok := f.op.span(f.value, minID, maxID)
	if !ok {
		return loose()
	}
	b := everything()
	b.minID, b.maxID = from, to
	b.first.id = from
	return b
}

// stampFilter compares opdateringsdato with a moment. A null stamp matches only ne, as in
// OData.
type stampFilter struct {
	op    operator
	value moment
}

func (f stampFilter) match(r row) bool {
	if r.stamp == noMoment {
		return f.op == notEqual
	}
	return f.op.holds(cmp.Compare(r.stamp, f.value))
}

func (f stampFilter) reads() bool { return false }

func (f stampFilter) bounds() bounds {
	from, to, ok := f.op.span(f.value, firstMoment, lastMoment)
	if !ok {
		return loose()
	}
	b := everything()
	b.minStamp, b.maxStamp = from, to
	b.first.stamp = from
	return b
}

// exprFilter is any other condition.
type exprFilter struct {
	condition odata.Expr
	view      *view
}

func (f exprFilter) match(r row) bool { return odata.Holds(f.condition, record{f.view, r.data}) }
func (f exprFilter) bounds() bounds   { return loose() }
func (f exprFilter) reads() bool      { return true }

// compile returns the filter of a condition. Comparisons of id or stamp with a literal
// know their bounds; so does what and and or join of them.
func (v *view) compile(condition odata.Expr) filter {
	if e, ok := condition.(*odata.Binary); ok {
		switch e.Op {
		case odata.And:
			return andFilter{v.compile(e.L), v.compile(e.R)}
		case odata.Or:
			return orFilter{v.compile(e.L), v.compile(e.R)}
		case odata.Eq, odata.Ne, odata.Gt, odata.Ge, odata.Lt, odata.Le:
			if f := compileComparison(e); f != nil {
				return f
			}
		}
	}
	return exprFilter{condition, v}
}

// compileComparison returns the filter that compares id or stamp with a literal, nil for
// another comparison.
func compileComparison(e *odata.Binary) filter {
	op, path, value := operator(e.Op), e.L, e.R
	if _, flipped := path.(*odata.Literal); flipped {
		op, path, value = op.flipped(), value, path
	}
	p, isPath := path.(*odata.Path)
	literal, isLiteral := value.(*odata.Literal)
	if !isPath || !isLiteral || p.Var != 0 || len(p.Links) > 0 {
		return nil
	}
	switch v := literal.Value.(type) {
	case int64:
		if p.Field.Name == "id" {
			return idFilter{op, v}
		}
	case time.Time:
		if p.Field.Name == stampField {
			return stampFilter{op, momentOf(v)}
		}
	}
	return nil
}
