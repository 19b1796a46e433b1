package schema

import "slices"

// dated are the entities whose field dato is asked for: those of the agenda.
var dated = []string{"Dokument", "Møde", "Sagstrin"}

// Indexed returns the fields, besides the id, by which readers find rows of an entity that
// is not small: the stamp, the fields of links that lead to many rows, and dates. A small
// entity has none: it is read whole as fast. A field that refers to a small entity, as a
// type, a role or a status, has few values, and an index does not help to find a tenth of
// the rows. Only that of a Periode has enough.
func (e Entity) Indexed() (fields []Field) {
	if e.Size == Small {
		return nil
	}
	names := []string{"opdateringsdato"}
	if slices.Contains(dated, e.Name) {
		names = append(names, "dato")
	}
	for _, from := range Entities() {
		for _, l := range from.Links {
			if l.Many && l.Entity == e.Name && (from.Size != Small || from.Name == "Periode") && !slices.Contains(names, l.Theirs) {
				names = append(names, l.Theirs)
			}
		}
	}
	for _, name := range names {
		if f, ok := e.Field(name); ok {
			fields = append(fields, f)
		}
	}
	return fields
}
