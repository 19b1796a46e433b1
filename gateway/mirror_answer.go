package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"odastream/odata"
	"odastream/query"
)

// maxAnswer is how large an answer may be, in bytes: it is in memory until it is sent.
const maxAnswer = 64 << 20

// context begins an answer with what its content is: a part of $metadata.
func (m mirrored) context(fragment string) []byte {
	b := append([]byte(nil), `{"odata.metadata":"`...)
	b = append(b, m.base...)
	b = append(b, "/$metadata"...)
	return append(append(b, fragment...), '"')
}

// service lists the entity sets.
func (m mirrored) service() answer {
	b := append(m.context(""), `,"value":[`...)
	for i, e := range m.Model().Entities() {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"name":"%s","url":"%s"}`, e.Name, e.Name)
	}
	return answer{contentType: jsonType, body: append(b, "]}"...)}
}

// page writes rows: what they are, their number if it was asked for, the rows, and where
// the next are.
func (m mirrored) page(p query.Page) (_ answer, err error) {
	b := m.context("#" + url.PathEscape(m.Entity.Name))
	if m.Count {
		b = fmt.Appendf(b, `,"odata.count":"%d"`, p.Count)
	}
	b = append(b, `,"value":[`...)
	for i, row := range p.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = odata.AppendElement(b, row, m.Entity, m.Shape, maxAnswer); err != nil {
			return answer{}, err
		}
	}
	b = append(b, ']')
	if p.Next != "" && (m.rest == nil || *m.rest > 0) {
		b = append(b, `,"odata.nextLink":"`...)
		b = append(append(b, m.nextLink(p.Next)...), '"')
	}
	return answer{contentType: jsonType, body: append(b, '}')}, nil
}

// row writes one row, or a field of it.
func (m mirrored) row(row odata.Element) (answer, error) {
	if m.Kind == odata.Row {
		b := m.context("#" + url.PathEscape(m.Entity.Name) + "/@Element")
		element, err := odata.AppendElement(nil, row, m.Entity, m.Shape, maxAnswer)
		if err != nil {
			return answer{}, err
		}
		if members := element[1:]; len(members) > 1 {
			b = append(b, ',')
		}
		return answer{contentType: jsonType, body: append(b, element[1:]...)}, nil
	}
	value, err := odata.Member(row.Data, m.Field.Name)
	if err != nil {
		return answer{}, err
	}
	if m.Kind == odata.Value {
		return bareValue(value)
	}
	if value == nil {
		value = jsontext.Value("null")
	}
	b := append(m.context("#"+m.Field.Type), `,"value":`...)
	return answer{contentType: jsonType, body: append(append(b, value...), '}')}, nil
}

// bareValue writes a value as text. Null has none.
func bareValue(value jsontext.Value) (answer, error) {
	if value == nil || value.Kind() == 'n' {
		return answer{}, refuse(http.StatusNotFound, "the field is null: it has no value")
	}
	if value.Kind() != '"' {
		return answer{contentType: textType, body: value}, nil
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return answer{contentType: textType, body: text}, err
}

// nextLink returns the address of the rows behind a page: the same query from a token on.
func (m mirrored) nextLink(token string) string {
	var b strings.Builder
	b.WriteString(m.base + m.path() + "?")
	for part := range strings.SplitSeq(m.rawQuery, "&") {
		rawName, _, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		switch name = strings.TrimSpace(name); {
		case err != nil, name == "", name == "$skiptoken", name == "$skip", name == "$top":
		default:
			b.WriteString(escapeRaw(part) + "&")
		}
	}
	if m.rest != nil {
		b.WriteString("$top=" + strconv.FormatInt(*m.rest, 10) + "&")
	}
	b.WriteString("$skiptoken=" + token)
	return b.String()
}

// path returns the path of the request's rows.
func (m mirrored) path() string {
	segments := []string{"", url.PathEscape(m.Set.Name)}
	if m.Key != nil {
		segments[1] += fmt.Sprintf("(%d)", *m.Key)
	}
	for _, l := range m.Links {
		segments = append(segments, url.PathEscape(l.Name))
	}
	return strings.Join(segments, "/")
}

// escapeRaw escapes what of a raw query cannot stand in an address, or in JSON.
func escapeRaw(part string) string {
	var b strings.Builder
	for i := range len(part) {
		switch c := part[i]; {
		case c <= ' ', c >= 0x7F, strings.IndexByte("\"\\<>^`{|}?#", c) >= 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// odataError writes a fault as OData v3 does.
func odataError(_ *http.Request, f *fault) []byte {
	type message struct {
		Lang  string `json:"lang"`
		Value string `json:"value"`
	}
	type body struct {
		Code    string  `json:"code"`
		Message message `json:"message"`
	}
	text, err := json.Marshal(map[string]body{"odata.error": {
		Code: strconv.Itoa(f.status), Message: message{"en-US", f.detail},
	}})
	if err != nil {
		return nil // no string fails
	}
	return text
}
