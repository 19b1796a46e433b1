package odasim

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// serviceDocument lists the sets.
func (s *Server) serviceDocument(r *http.Request) reply {
	if s.wantsAtom(r) {
		return found(atomSvcType, s.atomService(s.base(r)))
	}
	b := append([]byte(nil), `{"odata.metadata":"`...)
	b = append(b, s.base(r)...)
	b = append(b, `/$metadata","value":[`...)
	for i, name := range s.names {
		if i > 0 {
			b = append(b, ',')
		}
		quoted, err := jsontext.AppendQuote(nil, name)
		if err != nil {
			continue // the names are the program's own
		}
		b = fmt.Appendf(b, `{"name":%s,"url":%s}`, quoted, quoted)
	}
	return found(jsonType, append(b, "]}"...))
}

// atomService lists the sets in Atom.
func (s *Server) atomService(base string) []byte {
	b := []byte(xml.Header)
	b = fmt.Appendf(b, `<service xml:base="%s/" xmlns="http://www.w3.org/2007/app" xmlns:atom="http://www.w3.org/2005/Atom">`, base)
	b = append(b, `<workspace><atom:title type="text">Default</atom:title>`...)
	for _, name := range s.names {
		b = fmt.Appendf(b, `<collection href="%s"><atom:title type="text">%s</atom:title></collection>`, url.PathEscape(name), name)
	}
	return append(b, "</workspace></service>"...)
}

// namespace is the namespace of the service's entity types.
const namespace = "FT.Domain.Models"

// atom writes the page as an Atom feed.
func (p *page) atom() []byte {
	b := []byte(xml.Header)
	b = fmt.Appendf(b, `<feed xml:base="%s/" xmlns="http://www.w3.org/2005/Atom" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">`, p.base)
	if p.query.count {
		b = fmt.Appendf(b, "<m:count>%d</m:count>", p.found.count)
	}
	b = fmt.Appendf(b, `<title type="text">%s</title>`, p.set.name)
	for _, data := range p.found.rows {
		b = append(b, "<entry>"...)
		b = appendEntry(b, p.base, p.set, data)
	}
	if p.next != "" {
		b = fmt.Appendf(b, `<link rel="next" href="%s" />`, xmlText(p.next))
	}
	return append(b, "</feed>"...)
}

// atomEntry writes one entity as an Atom entry.
func atomEntry(base string, t *set, data []byte) []byte {
	b := []byte(xml.Header)
	b = fmt.Appendf(b, `<entry xml:base="%s/" xmlns="http://www.w3.org/2005/Atom" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">`, base)
	return appendEntry(b, base, t, data)
}

// appendEntry writes the content and the end of an entry.
func appendEntry(b []byte, base string, t *set, data []byte) []byte {
	id, _ := member(data, "id")
	b = fmt.Appendf(b, `<id>%s/%s(%s)</id>`, base, url.PathEscape(t.name), id)
	b = fmt.Appendf(b, `<category term="%s.%s" scheme="http://schemas.microsoft.com/ado/2007/08/dataservices/scheme" />`, namespace, t.name)
	b = append(b, `<content type="application/xml"><m:properties>`...)
	for name, value := range members(data) {
		b = appendProperty(b, name, t.fields[name], value)
	}
	return append(b, "</m:properties></content></entry>"...)
}

// appendProperty writes one property; text has no m:type.
func appendProperty(b []byte, name, edm string, value jsontext.Value) []byte {
	kind := ""
	if edm != "" && edm != "Edm.String" {
		kind = fmt.Sprintf(` m:type=%q`, edm)
	}
	if value.Kind() == 'n' {
		return fmt.Appendf(b, `<d:%s%s m:null="true" />`, name, kind)
	}
	text := string(value)
	if value.Kind() == '"' {
		text, _ = unquote(value) // it was checked when it was put
	}
	return fmt.Appendf(b, "<d:%s%s>%s</d:%s>", name, kind, xmlText(text), name)
}

// xmlText escapes text for XML.
func xmlText(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder does not fail
	return b.String()
}
