package odata

import (
	"slices"
	"strings"

	"odastream/schema"
)

// Shape is which members a row is written with. The zero value has the fields alone.
type Shape struct {
	Selected bool           // only Fields are written; otherwise all, those that schema does not know too
	Fields   []string       // in $metadata's order
	Links    []ExpandedLink // in $metadata's order, without doubles
	entity   schema.Entity
	model    *Model
}

// ExpandedLink is a link whose rows are written inside the row.
type ExpandedLink struct {
	schema.Link
	Shape Shape
}

// The limits of $expand.
const (
	maxExpandDepth = 3
	maxExpands     = 50
)

// memberPath is one path of $select or $expand.
type memberPath struct {
	names []string
	at    []int // where each name stands, in bytes
}

// parseMemberPaths reads paths that commas separate. Blanks around names are left aside.
func parseMemberPaths(o option) (paths []memberPath, err error) {
	at := 0
	for item := range strings.SplitSeq(o.text, ",") {
		var p memberPath
		from := at
		for name := range strings.SplitSeq(item, "/") {
			trimmed := strings.TrimSpace(name)
			if trimmed == "" {
				return nil, o.wrong(from, "a name is missing")
			}
			if i := strings.IndexAny(trimmed, "($;"); i >= 0 {
				return nil, o.wrong(from, "%q is of OData v4: write paths with slashes, as in $expand=Sagstrin/Sag&$select=id,Sagstrin/Sag/titel", trimmed)
			}
			p.names, p.at = append(p.names, trimmed), append(p.at, from)
			from += len(name) + 1
		}
		paths = append(paths, p)
		at += len(item) + 1
	}
	return paths, nil
}

// expand adds the links of an $expand to the shape of rows.
func (s *Shape) expand(o option) error {
	paths, err := parseMemberPaths(o)
	if err != nil {
		return err
	}
	n := 0
	for _, p := range paths {
		if len(p.names) > maxExpandDepth {
			return o.wrong(p.at[maxExpandDepth], "a path has at most %d links", maxExpandDepth)
		}
		at := s
		for i, name := range p.names {
			link, ok := at.entity.Link(name)
			if !ok {
				return o.unknownLink(name, p.at[i], at.entity)
			}
			at = at.add(link)
			n++
		}
	}
	if n > maxExpands {
		return o.wrong(0, "it names %d links, and may name %d", n, maxExpands)
	}
	s.sort()
	return nil
}

// add returns the shape of the rows of an expanded link.
func (s *Shape) add(link schema.Link) *Shape {
	if i := s.index(link.Name); i >= 0 {
		return &s.Links[i].Shape
	}
	s.Links = append(s.Links, ExpandedLink{link, Shape{entity: s.model.linked(link), model: s.model}})
	return &s.Links[len(s.Links)-1].Shape
}

func (s *Shape) index(name string) int {
	return slices.IndexFunc(s.Links, func(l ExpandedLink) bool { return l.Name == name })
}

// sort brings fields and links into $metadata's order.
func (s *Shape) sort() {
	place := func(name string) int {
		return slices.IndexFunc(s.entity.Links, func(l schema.Link) bool { return l.Name == name })
	}
	slices.SortFunc(s.Links, func(a, b ExpandedLink) int { return place(a.Name) - place(b.Name) })
	field := func(name string) int {
		return slices.IndexFunc(s.entity.Fields, func(f schema.Field) bool { return f.Name == name })
	}
	slices.SortFunc(s.Fields, func(a, b string) int { return field(a) - field(b) })
	s.Fields = slices.Compact(s.Fields)
	for i := range s.Links {
		s.Links[i].Shape.sort()
	}
}

// choose applies a $select to the shape, whose links are expanded.
func (s *Shape) choose(o option) error {
	paths, err := parseMemberPaths(o)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if err := s.choosePath(o, p); err != nil {
			return err
		}
	}
	s.sort()
	return nil
}

// choosePath selects what one path names: a field, all fields, or an expanded link.
func (s *Shape) choosePath(o option, p memberPath) error {
	at, last := s, len(p.names)-1
	for i, name := range p.names[:last] {
		link := at.index(name)
		if link < 0 {
			return o.notExpanded(name, p.at[i], at.entity)
		}
		at.Selected = true
		at = &at.Links[link].Shape
	}
	name := p.names[last]
	if name == "*" {
		at.chooseAll()
		return nil
	}
	if _, ok := at.entity.Field(name); ok {
		at.Selected = true
		at.Fields = append(at.Fields, name)
		return nil
	}
	if at.index(name) < 0 {
		return o.notExpanded(name, p.at[last], at.entity)
	}
	at.Selected = true
	return nil
}

func (s *Shape) chooseAll() {
	s.Selected = true
	for _, f := range s.entity.Fields {
		s.Fields = append(s.Fields, f.Name)
	}
}

func (o option) unknownLink(name string, at int, e schema.Entity) error {
	err := o.wrong(at, "%s has no link %q", e.Name, name)
	err.Unknown = name
	for _, l := range e.Links {
		err.Allowed = append(err.Allowed, l.Name)
	}
	return err
}

// notExpanded is the error of a selected name that is neither a field nor an expanded link.
func (o option) notExpanded(name string, at int, e schema.Entity) error {
	if _, ok := e.Link(name); ok {
		return o.wrong(at, "%s is a link of %s and not expanded: add it to $expand", name, e.Name)
	}
	return o.unknownMember(token{kind: tokenName, text: name, at: at}, e)
}
