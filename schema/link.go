package schema

import "strings"

// Link is a navigation property: it leads from a row to the rows of Entity whose field
// Theirs equals the row's field Own.
type Link struct {
	Name   string // the source's own: "FraAktør"
	Entity string // the Name of the entity set that it leads to: "Aktør"
	Own    string // a field of the row: "fraaktørid", or "id" where Many
	Theirs string // a field of Entity: "id", or the one that refers to the row where Many
	Many   bool   // it leads to any number of rows; otherwise to one or none
}

// parseLink reads a link: "Møde mødeid" leads to one row of the entity of that name,
// "FraAktør fraaktørid Aktør" to one of Aktør, and "Stemme Stemme.aktørid*" to those of
// Stemme that have the row's id there.
func parseLink(text string) Link {
	name, to, _ := strings.Cut(text, " ")
	if theirs, many := strings.CutSuffix(to, "*"); many {
		entity, field, _ := strings.Cut(theirs, ".")
		return Link{Name: name, Entity: entity, Own: "id", Theirs: field, Many: true}
	}
	own, entity, named := strings.Cut(to, " ")
	if !named {
		entity = name
	}
	return Link{Name: name, Entity: entity, Own: own, Theirs: "id"}
}

// Link finds a link by its name, in the source's own spelling.
func (e Entity) Link(name string) (link Link, ok bool) {
	for _, l := range e.Links {
		if l.Name == name {
			return l, true
		}
	}
	return Link{}, false
}

// Field finds a field by its name, in the source's own spelling.
func (e Entity) Field(name string) (field Field, ok bool) {
	for _, f := range e.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}
