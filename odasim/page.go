package odasim

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"odastream/odata"
)

// page is the answer to a query of a set.
type page struct {
	set    *set
	whole  bool           // the query is of all rows of the set
	within []odata.Record // the rows that it is of, if it is not
	base   string         // the service's own address
	path   string         // of the rows
	query  query
	found  answer
	next   string // odata.nextLink; "" for none
}

// fill finds the page's rows as the fault has it. Without $top, or with one above the
// cap, the page holds cap rows and a link to the rest. With a smaller $top there is no
// link.
func (p *page) fill(s *Server, values url.Values, f fault) {
	limit := s.options.PageCap
	linked := p.query.top < 0 || p.query.top > limit
	if !linked {
		limit = p.query.top
	}
	p.find(s, p.path+"?"+values.Encode(), f.rowLimit(limit), f)
	if linked && p.found.more {
		p.next = p.nextLink(values, len(p.found.rows))
	}
	w := shaper{view: p.query.view, base: p.base, limit: s.options.PageCap}
	for i, data := range p.found.rows {
		p.found.rows[i] = w.shaped(p.set.name, data, p.query.shape)
	}
}

// nextLink returns the same query with this page's number of rows added to $skip and
// subtracted from $top.
func (p *page) nextLink(values url.Values, rows int) string {
	var b strings.Builder
	b.WriteString(p.base + "/" + p.path + "?")
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value := values.Get(name)
		switch name {
		case "$skip":
			continue
		case "$top":
			value = strconv.Itoa(p.query.top - rows)
		}
		b.WriteString(escapeKey(name) + "=" + escapeData(value) + "&")
	}
	fmt.Fprintf(&b, "$skip=%d", p.query.skip+rows)
	return b.String()
}

// escapeKey escapes an option's name, except its dollar.
func escapeKey(name string) string {
	if rest, ok := strings.CutPrefix(name, "$"); ok {
		return "$" + escapeData(rest)
	}
	return escapeData(name)
}

// escapeData escapes as .NET's Uri.EscapeDataString does: a space is %20.
func escapeData(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// json writes the page: metadata, the count if requested, the rows, the link.
func (p *page) json() []byte {
	size := 256 + len(p.next)
	for _, data := range p.found.rows {
		size += len(data) + 1
	}
	b := make([]byte, 0, size)
	b = append(b, `{"odata.metadata":"`...)
	b = appendMetadataURL(b, p.base, p.set.name)
	b = append(b, '"')
	if p.query.count {
		b = append(b, `,"odata.count":"`...)
		b = strconv.AppendInt(b, int64(p.found.count), 10)
		b = append(b, '"')
	}
	b = append(b, `,"value":[`...)
	for i, data := range p.found.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, data...)
	}
	b = append(b, ']')
	if p.next != "" {
		b = append(b, `,"odata.nextLink":"`...)
		b = append(b, p.next...)
		b = append(b, '"')
	}
	return append(b, '}')
}

// entityJSON writes one entity: the metadata, then its members.
func entityJSON(base, name string, data []byte) []byte {
	b := append([]byte(nil), `{"odata.metadata":"`...)
	b = appendMetadataURL(b, base, name)
	b = append(b, `/@Element",`...)
	return append(b, data[1:]...)
}

// appendMetadataURL writes the address of the set's description.
func appendMetadataURL(dst []byte, base, name string) []byte {
	dst = append(dst, base...)
	dst = append(dst, "/$metadata#"...)
	return append(dst, url.PathEscape(name)...)
}
