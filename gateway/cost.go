package gateway

import (
	"maps"
	"slices"

	"odastream/odata"
	"odastream/schema"
)

// Where the classes end.
const (
	simpleRows = 100  // of a page
	mediumRows = 1000 // of a page
	mediumDeep = 1    // levels of expanded links
)

// classify returns the class of a request whose page has limit rows.
func classify(r *odata.Request, limit int) class {
	switch r.Kind {
	case odata.Service, odata.Metadata:
		return noClass
	case odata.Row, odata.Property, odata.Value:
		limit = 1
	case odata.Rows, odata.Count:
	}
	needs := weigh(r.Filter)
	for _, k := range r.OrderBy {
		needs.add(weigh(k.Expr))
	}
	depth := depthOf(r.Shape)
	counts := r.Count || r.Kind == odata.Count
	switch {
	case depth > mediumDeep, limit > mediumRows, needs.search, needs.lambda, counts && needs.scan:
		return complexClass
	case depth > 0, limit > simpleRows, needs.scan, len(needs.indexed) > 1, counts, r.Skip > mediumRows:
		return mediumClass
	}
	return simpleClass
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

// weigh returns what an expression costs.
func weigh(e odata.Expr) (n needs) {
	switch e := e.(type) {
	case *odata.Path:
		if len(e.Links) > 0 || !hasIndex(e.Field) {
			return needs{scan: true}
		}
		return needs{indexed: map[string]bool{e.Field.Name: true}}
	case *odata.Unary:
		return weigh(e.X)
	case *odata.Binary:
		n = weigh(e.L)
		n.add(weigh(e.R))
	case *odata.Call:
		n.search, n.scan = slices.Contains(searches, e.Func), true
		for _, arg := range e.Args {
			n.add(weigh(arg))
		}
	case *odata.Lambda:
		n.lambda = true
	}
	return n
}

// hasIndex reports whether the copy finds rows by a field without reading all.
func hasIndex(f schema.Field) bool { return f.Name == "id" || f.Name == "opdateringsdato" }

// depthOf returns how many levels of links a shape expands.
func depthOf(s odata.Shape) (depth int) {
	for _, l := range s.Links {
		depth = max(depth, 1+depthOf(l.Shape))
	}
	return depth
}
