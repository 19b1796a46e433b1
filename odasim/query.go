package odasim

import (
	"errors"
	"math"
	"net/url"
	"slices"
	"strings"

	"odastream/odata"
)

// query is a client's query of the rows of a set.
type query struct {
	filter filter // nil: everything
	order  []orderKey
	top    int // -1: not given
	skip   int
	count  bool
	shape  odata.Shape
	view   *view
	// linked says that filter or order follow links, so that they are not evaluated under
	// the lock of the set: they take those of other sets.
	linked bool
}

// orderKey is one part of an $orderby.
type orderKey struct {
	field string // of the row; "" for an expression that is more than a field
	odata.OrderKey
}

// stampField is the name of the stamp in every set.
const stampField = "opdateringsdato"

// parse reads a path and a query. The service may be told to leave a $filter aside that
// names an unknown field.
func (s *Server) parse(path, rawQuery string) (*odata.Request, error) {
	r, err := s.model.Parse(path, rawQuery)
	var wrong *odata.Error
	if s.options.IgnoreUnknownFields && errors.As(err, &wrong) && wrong.Option == "$filter" && wrong.Unknown != "" {
		return s.model.Parse(path, withoutFilter(rawQuery))
	}
	return r, err
}

// withoutFilter returns a raw query without its $filter.
func withoutFilter(rawQuery string) string {
	var kept []string
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if name, err := url.QueryUnescape(name); err != nil || name != "$filter" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// newQuery returns the query of a request.
func newQuery(r *odata.Request, v *view) query {
	q := query{top: -1, skip: int(min(r.Skip, math.MaxInt32)), count: r.Count, shape: r.Shape, view: v}
	if r.Top != nil {
		q.top = int(min(*r.Top, math.MaxInt32))
	}
	if r.Filter != nil {
		q.filter, q.linked = v.compile(r.Filter), followsLinks(r.Filter)
	}
	for _, k := range r.OrderBy {
		key := orderKey{OrderKey: k}
		if p, ok := k.Expr.(*odata.Path); ok && len(p.Links) == 0 {
			key.field = p.Field.Name
		}
		q.order = append(q.order, key)
		q.linked = q.linked || followsLinks(k.Expr)
		if key.field == "id" {
			return q // no two rows have the same id, so what follows has no effect
		}
	}
	if len(q.order) > 0 {
		q.order = append(q.order, orderKey{field: "id"})
	}
	return q
}

// followsLinks reports whether an expression reads other rows than its own.
func followsLinks(e odata.Expr) bool {
	switch e := e.(type) {
	case *odata.Path:
		return len(e.Links) > 0
	case *odata.Unary:
		return followsLinks(e.X)
	case *odata.Binary:
		return followsLinks(e.L) || followsLinks(e.R)
	case *odata.Call:
		return slices.ContainsFunc(e.Args, followsLinks)
	case *odata.Lambda:
		return true
	}
	return false
}
