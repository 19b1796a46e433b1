package odata

import (
	"maps"
	"slices"
)

// Model returns the model that the request was checked against.
func (r *Request) Model() *Model { return r.Shape.model }

// Entities returns the names of the entities that the answer follows from, sorted: of the
// rows, and of those that path, options and expressions lead to.
func (r *Request) Entities() []string {
	names := map[string]bool{}
	if r.Set.Name != "" {
		names[r.Set.Name] = true
	}
	for _, l := range r.Links {
		names[l.Entity] = true
	}
	addLinked(names, r.Shape)
	addRead(names, r.Filter)
	for _, k := range r.OrderBy {
		addRead(names, k.Expr)
	}
	return slices.Sorted(maps.Keys(names))
}

// addLinked adds the entities that a shape expands.
func addLinked(names map[string]bool, s Shape) {
	for _, l := range s.Links {
		names[l.Entity] = true
		addLinked(names, l.Shape)
	}
}

// addRead adds the entities that an expression reads.
func addRead(names map[string]bool, e Expr) {
	switch e := e.(type) {
	case *Path:
		for _, l := range e.Links {
			names[l.Entity] = true
		}
	case *Unary:
		addRead(names, e.X)
	case *Binary:
		addRead(names, e.L)
		addRead(names, e.R)
	case *Call:
		for _, arg := range e.Args {
			addRead(names, arg)
		}
	case *Lambda:
		for _, l := range e.Links {
			names[l.Entity] = true
		}
		names[e.Many.Entity] = true
		addRead(names, e.Body)
	}
}
