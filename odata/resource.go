package odata

import (
	"strconv"
	"strings"

	"odastream/schema"
)

// Kind is what a path names.
type Kind int

// The kinds of resources.
const (
	Service  Kind = iota + 1 // the list of the entity sets
	Metadata                 // the schema: $metadata
	Rows                     // any number of rows of an entity: Sag, Sag(1)/Sagstrin
	Row                      // one row or none: Sag(1), Sag(1)/Periode
	Property                 // a field of one row: Sag(1)/titel
	Value                    // its value alone: Sag(1)/titel/$value
	Count                    // the number of rows: Sag/$count
)

// Resource is what the path of a URL names: the rows of Set, or the one with the id Key;
// from there the rows that Links lead to; of them Field, where Kind is Property or Value.
type Resource struct {
	Kind   Kind
	Set    schema.Entity
	Key    *int64
	Links  []schema.Link
	Entity schema.Entity // of the rows at the end of Links
	Field  schema.Field
}

const optionPath = "path"

// parseResource reads the path behind the service's root, still encoded.
func (m *Model) parseResource(rawPath string) (r Resource, err error) {
	text, err := decode(optionPath, strings.Trim(rawPath, "/"), false)
	if err != nil {
		return r, err
	}
	o := option{optionPath, text}
	switch text {
	case "":
		return Resource{Kind: Service}, nil
	case "$metadata":
		return Resource{Kind: Metadata}, nil
	}
	segments := strings.Split(text, "/")
	if r, err = m.set(o, segments[0]); err != nil {
		return r, err
	}
	at := len(segments[0]) + 1
	for _, s := range segments[1:] {
		if err := m.step(o, &r, strings.TrimSpace(s), at); err != nil {
			return r, err
		}
		at += len(s) + 1
	}
	return r, nil
}

// set reads the first segment: Sag, Sag() or Sag(1).
func (m *Model) set(o option, segment string) (r Resource, err error) {
	name, key, keyed := strings.Cut(segment, "(")
	e, known := m.entities[strings.TrimSpace(name)]
	if !known {
		missing := o.wrong(0, "there is no entity set %q", name)
		missing.NotFound, missing.Allowed = true, m.nearest(name)
		return r, missing
	}
	r = Resource{Kind: Rows, Set: e, Entity: e}
	key, closed := strings.CutSuffix(key, ")")
	if !keyed || closed && strings.TrimSpace(key) == "" {
		return r, nil
	}
	id, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(key), "id="), 10, 64)
	if err != nil || !closed {
		return r, o.wrong(len(name)+1, "%q is not the id of a row", key)
	}
	r.Kind, r.Key = Row, &id
	return r, nil
}

// step reads a segment behind the first.
func (m *Model) step(o option, r *Resource, segment string, at int) error {
	switch {
	case segment == "$count" && r.Kind == Rows:
		r.Kind = Count
		return nil
	case segment == "$value" && r.Kind == Property:
		r.Kind = Value
		return nil
	case r.Kind != Row:
		return o.noStep(segment, at)
	}
	if f, ok := r.Entity.Field(segment); ok {
		r.Kind, r.Field = Property, f
		return nil
	}
	link, ok := r.Entity.Link(segment)
	if !ok {
		err := o.unknownMember(token{kind: tokenName, text: segment, at: at}, r.Entity)
		err.NotFound = true
		return err
	}
	r.Links, r.Entity = append(r.Links, link), m.linked(link)
	if link.Many {
		r.Kind = Rows
	}
	return nil
}

// noStep is the error of a segment behind something that has none of that name.
func (o option) noStep(segment string, at int) error {
	err := o.wrong(at, "nothing of the name %q is here", segment)
	err.NotFound = true
	return err
}
