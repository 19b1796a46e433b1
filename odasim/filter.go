package odasim

// bounds are the ranges of id and stamp outside which no row can match a filter.
type bounds struct {
	minID, maxID       int64
	minStamp, maxStamp moment
	// first is the least (stamp, id) that can match. For "later, or as late with a higher
	// id" it is tighter than the ranges: it skips the tie.
	first stampKey
	// exact says that every row inside the ranges matches.
	exact bool
}

// everything are the bounds that exclude nothing.
func everything() bounds {
	return bounds{
		minID: minID, maxID: maxID, minStamp: noMoment, maxStamp: lastMoment,
		first: stampKey{stamp: noMoment, id: minID}, exact: true,
	}
}

const (
	minID = -1 << 63
	maxID = 1<<63 - 1
)

// stamped reports whether the bounds exclude any stamp.
func (b bounds) stamped() bool { return b.minStamp > noMoment || b.maxStamp < lastMoment }

// holds reports whether the row lies inside the ranges.
func (b bounds) holds(id int64, stamp moment) bool {
	return id >= b.minID && id <= b.maxID && stamp >= b.minStamp && stamp <= b.maxStamp
}

// and returns the bounds of rows that are in both.
func (b bounds) and(c bounds) bounds {
	r := bounds{
		minID: max(b.minID, c.minID), maxID: min(b.maxID, c.maxID),
		minStamp: max(b.minStamp, c.minStamp), maxStamp: min(b.maxStamp, c.maxStamp),
		exact: b.exact && c.exact,
	}
	r.first = stampKey{stamp: r.minStamp, id: r.minID}
	for _, k := range []stampKey{b.first, c.first} {
		if compareKeys(k, r.first) > 0 {
			r.first = k
		}
	}
	return r
}

// or returns the bounds of rows that are in either.
func (b bounds) or(c bounds) bounds {
	r := bounds{
		minID: min(b.minID, c.minID), maxID: max(b.maxID, c.maxID),
		minStamp: min(b.minStamp, c.minStamp), maxStamp: max(b.maxStamp, c.maxStamp),
		first: b.first,
	}
	if compareKeys(c.first, r.first) < 0 {
		r.first = c.first
	}
	return r
}

// filter is a parsed $filter.
type filter interface {
	// match reports whether the row matches. Only a filter that reads fields other than
	// id and opdateringsdato needs the row's data.
	match(r row) bool
	// bounds returns the ranges of id and stamp in which rows can match.
	bounds() bounds
	// reads reports whether the filter needs the row's data.
	reads() bool
}

type (
	andFilter struct{ a, b filter }
	orFilter  struct{ a, b filter }
	notFilter struct{ a filter }
)

func (f andFilter) match(r row) bool { return f.a.match(r) && f.b.match(r) }
func (f andFilter) bounds() bounds   { return f.a.bounds().and(f.b.bounds()) }
func (f andFilter) reads() bool      { return f.a.reads() || f.b.reads() }

func (f orFilter) match(r row) bool { return f.a.match(r) || f.b.match(r) }
func (f orFilter) bounds() bounds   { return f.a.bounds().or(f.b.bounds()) }
func (f orFilter) reads() bool      { return f.a.reads() || f.b.reads() }

func (f notFilter) match(r row) bool { return !f.a.match(r) }
func (f notFilter) bounds() bounds   { return loose() }
func (f notFilter) reads() bool      { return f.a.reads() }

// loose are the bounds of a filter about which nothing is known.
func loose() bounds {
	b := everything()
	b.exact = false
	return b
}

// operator is a comparison of OData v3.
type operator string

const (
	equal          operator = "eq"
	notEqual       operator = "ne"
	greater        operator = "gt"
	greaterOrEqual operator = "ge"
	less           operator = "lt"
	lessOrEqual    operator = "le"
)

// holds reports whether the operator is true for a comparison with the result c (below 0,
// 0, above 0).
func (o operator) holds(c int) bool {
	switch o {
	case equal:
		return c == 0
	case notEqual:
		return c != 0
	case greater:
		return c > 0
	case greaterOrEqual:
		return c >= 0
	case less:
		return c < 0
	default:
		return c <= 0
	}
}

// flipped is the operator with its sides exchanged.
func (o operator) flipped() operator {
	switch o {
	case greater:
		return less
	case greaterOrEqual:
		return lessOrEqual
	case less:
		return greater
	case lessOrEqual:
		return greaterOrEqual
	default:
		return o
	}
}

// span returns the range of whole numbers, within low and high, for which the operator
// with v is true. ok is false if they are not one range (ne) or there are none.
func (o operator) span(v, low, high int64) (from, to int64, ok bool) {
	switch o {
	case equal:
		return v, v, true
	case greater:
		if v == high {
			return 0, 0, false
		}
		return v + 1, high, true
	case greaterOrEqual:
		return v, high, true
	case less:
		if v == low {
			return 0, 0, false
		}
		return low, v - 1, true
	case lessOrEqual:
		return low, v, true
	default:
		return 0, 0, false
	}
}
