package odasim

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"odastream/odata"
)

// shaper writes rows with the members that $select and $expand name.
type shaper struct {
	view  *view
	base  string // the service's own address
	limit int    // the highest number of rows of a nested collection
}

// shaped returns a row of a set as the shape wants it: the rows of links stand before the
// fields, as ASP.NET writes them.
func (w shaper) shaped(set string, data []byte, shape odata.Shape) []byte {
	if len(shape.Links) == 0 && !shape.Selected {
		return data
	}
	b := []byte{'{'}
	for _, l := range shape.Links {
		b = w.appendLink(b, set, data, l)
	}
	for name, value := range members(data) {
		if !shape.Selected || slices.Contains(shape.Fields, name) {
			b = appendNamed(b, name, value)
		}
	}
	return append(b, '}')
}

// appendLink writes the rows that a link leads to. The source cuts a collection like a
// page, and says where the rest is.
func (w shaper) appendLink(b []byte, set string, data []byte, l odata.ExpandedLink) []byte {
	rows := record{w.view, data}.Linked(l.Link)
	shaped := func(r odata.Record) []byte { return w.shaped(l.Entity, r.(record).data, l.Shape) }
	if !l.Many {
		if len(rows) == 0 {
			return appendNamed(b, l.Name, []byte("null"))
		}
		return appendNamed(b, l.Name, shaped(rows[0]))
	}
	list := []byte{'['}
	for i, r := range rows[:min(len(rows), w.limit)] {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, shaped(r)...)
	}
	b = appendNamed(b, l.Name, append(list, ']'))
	if len(rows) > w.limit {
		id, _ := member(data, "id")
		rest := fmt.Sprintf("%s/%s(%s)/%s?$skip=%d", w.base, url.PathEscape(set), id, url.PathEscape(l.Name), w.limit)
		b = appendNamed(b, l.Name+"@odata.nextLink", fmt.Appendf(nil, "%q", rest))
	}
	return b
}

// appendNamed writes a member, with a comma unless it is the first.
func appendNamed(b []byte, name string, value jsontext.Value) []byte {
	with, err := appendMember(b, name, value)
	if err != nil {
		return b // a name that was read from JSON, or that is the program's own, can be written
	}
	return with
}
