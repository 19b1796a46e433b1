package gateway

import (
	"maps"
	"slices"
	"sync"

	"odastream/odata"
	"odastream/schema"
)

// Where the classes end.
const (
	simpleRows = 100  // of a page
	mediumRows = 1000 // of a page
	mediumDeep = 1    // levels of expanded links
	// mediumCost is what Postgres expects, in its units, of a statement that takes half a
	// second: a page behind 1.7 million keys is 174,000 and took 0.8 s, see docs/figures.md.
	mediumCost = 100_000
)

// classify returns the class of a request whose page has limit rows. It is in doubt if
// fields without an index are compared: a page may be found soon, or only at the end of a
// large entity.
func classify(r *odata.Request, limit int) (c class, inDoubt bool) {
	switch r.Kind {
	case odata.Service, odata.Metadata:
		return noClass, false
	case odata.Row, odata.Property, odata.Value:
		limit = 1
	case odata.Rows, odata.Count:
	}
	needs := weigh(r.Filter, r.Entity)
	for _, k := range r.OrderBy {
		needs.add(weigh(k.Expr, r.Entity))
	}
	depth := depthOf(r.Shape)
	counts := r.Count || r.Kind == odata.Count
	switch {
	case depth > mediumDeep, limit > mediumRows, needs.search, needs.lambda:
		return complexClass, false
	case needs.scan && counts:
		return complexClass, true
	case needs.scan, r.Skip > mediumRows:
		return mediumClass, true
	case depth > 0, limit > simpleRows, len(needs.indexed) > 1, counts:
		return mediumClass, false
	}
	return simpleClass, false
}

// classOf returns the class of a request that is in doubt, by what Postgres expects.
func classOf(cost float64) class {
	if cost > mediumCost {
		return complexClass
	}
	return mediumClass
}

// needs are what an expression costs.
type needs struct {
	indexed map[string]bool // fields that are compared by an index
	scan    bool            // fields that are compared without one
	search  bool            // a search in texts
	lambda  bool            // any or all
}

// add adds the costs of another expression.
func (n *needs) add(o needs) {
	if n.indexed == nil {
		n.indexed = map[string]bool{}
	}
	maps.Copy(n.indexed, o.indexed)
	n.scan, n.search, n.lambda = n.scan || o.scan, n.search || o.search, n.lambda || o.lambda
}

// searches are the functions that look into a text.
var searches = []string{"substringof", "startswith", "endswith", "indexof"}

// weigh returns what an expression about rows of an entity costs.
func weigh(e odata.Expr, of schema.Entity) (n needs) {
	switch e := e.(type) {
	case *odata.Path:
		if len(e.Links) > 0 || !hasIndex(of, e.Field) {
			return needs{scan: true}
		}
		return needs{indexed: map[string]bool{e.Field.Name: true}}
	case *odata.Unary:
		return weigh(e.X, of)
	case *odata.Binary:
		n = weigh(e.L, of)
		n.add(weigh(e.R, of))
	case *odata.Call:
		n.search, n.scan = slices.Contains(searches, e.Func), true
		for _, arg := range e.Args {
			n.add(weigh(arg, of))
		}
	case *odata.Lambda:
		n.lambda = true
	}
	return n
}

// hasIndex reports whether the copy finds rows by a field without reading many.
func hasIndex(of schema.Entity, f schema.Field) bool {
	return f.Name == "id" || of.Size == schema.Small || slices.ContainsFunc(indexed()[of.Name], func(i schema.Field) bool { return i.Name == f.Name })
}

// indexed are the fields by which the rows of each entity are found.
var indexed = sync.OnceValue(func() map[string][]schema.Field {
	fields := map[string][]schema.Field{}
	for _, e := range schema.Entities() {
		fields[e.Name] = e.Indexed()
	}
	return fields
})

// depthOf returns how many levels of links a shape expands.
func depthOf(s odata.Shape) (depth int) {
	for _, l := range s.Links {
		depth = max(depth, 1+depthOf(l.Shape))
	}
	return depth
}
