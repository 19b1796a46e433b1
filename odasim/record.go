package odasim

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"odastream/odata"
	"odastream/schema"
)

// view is what one request sees of the parliament. It reads each set that links lead to
// many rows of once.
type view struct {
	server *Server
	byLink map[schema.Link]map[any][]odata.Record
}

func (s *Server) view() *view {
	return &view{server: s, byLink: map[schema.Link]map[any][]odata.Record{}}
}

// record is a row as expressions see it.
type record struct {
	view *view
	data []byte
}

// Field returns the value of a member; null for one of another type than the field's.
func (r record) Field(f schema.Field) any {
	raw, found := member(r.data, f.Name)
	if !found {
		return nil
	}
	return valueOf(raw, f.Type)
}

// Linked returns the rows that a link leads to, by id.
func (r record) Linked(l schema.Link) []odata.Record {
	own, found := member(r.data, l.Own)
	to, known := r.view.server.sets[l.Entity]
	if !found || !known || own.Kind() == 'n' {
		return nil
	}
	if l.Many {
		return r.view.index(l, to)[valueOf(own, "Edm.Int64")]
	}
	id, err := strconv.ParseInt(string(own), 10, 64)
	if err != nil {
		return nil
	}
	if one, exists := to.get(id); exists {
		return []odata.Record{record{r.view, one.data}}
	}
	return nil
}

// rowsOf returns records as rows.
func (s *Server) rowsOf(records []odata.Record) []row {
	rows := make([]row, len(records))
	for i, r := range records {
		rows[i].data = r.(record).data
		_ = s.options.read(&rows[i]) // it was read when it was put
	}
	return rows
}

// index returns the rows of a set by the field that a link compares.
func (v *view) index(l schema.Link, to *set) map[any][]odata.Record {
	if byValue, known := v.byLink[l]; known {
		return byValue
	}
	byValue := map[any][]odata.Record{}
	for _, data := range to.all() {
		if raw, found := member(data, l.Theirs); found {
			value := valueOf(raw, "Edm.Int64")
			byValue[value] = append(byValue[value], record{v, data})
		}
	}
	delete(byValue, nil)
	v.byLink[l] = byValue
	return byValue
}

// valueOf returns a member's value for a field of an Edm type; nil for null and for a
// value of another type.
func valueOf(raw jsontext.Value, edm string) any {
	switch raw.Kind() {
	case '"':
		return textOf(raw, edm)
	case '0':
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil && isWhole(edm) {
			return n
		}
	case 't', 'f':
		if edm == "Edm.Boolean" {
			return raw.Kind() == 't'
		}
	}
	return nil
}

func isWhole(edm string) bool {
	switch edm {
	case "Edm.Byte", "Edm.Int16", "Edm.Int32", "Edm.Int64":
		return true
	}
	return false
}

// textOf returns the value of a JSON string: a text or a time.
func textOf(raw jsontext.Value, edm string) any {
	text, err := unquote(raw)
	if err != nil {
		return nil
	}
	switch edm {
	case "Edm.String":
		return text
	case "Edm.DateTime":
		if t, ok := odata.ParseTime(text); ok {
			return t
		}
	}
	return nil
}
