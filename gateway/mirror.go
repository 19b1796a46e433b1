package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"odastream/odata"
	"odastream/query"
)

// mirrorRoot is where the mirror is, as at the source.
const mirrorRoot = "/api"

// pageRows is how many rows a page has if nobody asks for a number: as many as at the
// source.
const pageRows = 100

// mirrorDialect is OData v3.
var mirrorDialect = dialect{
	header:      map[string]string{"DataServiceVersion": "3.0;"},
	contentType: jsonType,
	writeFault:  odataError,
}

// The media types of the mirror. That of JSON is the source's own.
const (
	jsonType = "application/json; odata=minimalmetadata; streaming=true; charset=utf-8"
	xmlType  = "application/xml; charset=utf-8"
	textType = "text/plain; charset=utf-8"
)

// askMirror reads a request in the language of the source.
func (g *Gateway) askMirror(r *http.Request) (question, error) {
	asked, err := g.model.Parse(strings.TrimPrefix(r.URL.EscapedPath(), mirrorRoot), r.URL.RawQuery)
	if err != nil {
		return question{}, err
	}
	if err := negotiate(r, asked); err != nil {
		return question{}, err
	}
	m := mirrored{Request: asked, base: g.base(r) + mirrorRoot, rawQuery: r.URL.RawQuery, copy: g.copy}
	m.limit, m.rest = m.rows(g.cfg.TopMax)
	q := question{route: m.route(), of: asked.Entities(), answer: m.answer}
	var inDoubt bool
	if q.class, inDoubt = classify(asked, m.limit); inDoubt {
		q.cost = func(ctx context.Context) (float64, error) { return g.copy.Cost(ctx, asked, m.limit) }
	}
	return q, nil
}

// negotiate refuses a client that takes none of the formats that there are.
func negotiate(r *http.Request, asked *odata.Request) error {
	types := []string{"application/json"}
	switch asked.Kind {
	case odata.Metadata:
		types = []string{"application/xml", "text/xml", "application/atomsvc+xml"}
	case odata.Value, odata.Count:
		return nil // a bare value
	case odata.Service, odata.Rows, odata.Row, odata.Property:
		if asked.Format != "" && asked.Format != odata.JSON {
			return refuse(http.StatusNotAcceptable, fmt.Sprintf("$format=%s is not served here: ask for $format=json", asked.Format))
		}
		if asked.Format == odata.JSON {
			return nil // it overrides Accept
		}
	}
	if !accepts(r, types...) {
		return refuse(http.StatusNotAcceptable, "Accept names no format that is served here: ask for "+types[0]+". Atom is not served")
	}
	return nil
}

// mirrored is a request of the mirror.
type mirrored struct {
	*odata.Request
	base     string // of links
	rawQuery string
	copy     *query.Reader

	limit int    // rows of the page
	rest  *int64 // how many more rows were asked for; nil: all that there are
}

// rows returns how many rows a page has, and how many more were asked for.
func (m mirrored) rows(most int) (limit int, rest *int64) {
	if m.Top == nil {
		return pageRows, nil
	}
	limit = int(min(*m.Top, int64(most)))
	left := *m.Top - int64(limit)
	return limit, &left
}

// route names the request in metrics.
func (m mirrored) route() string {
	switch m.Kind {
	case odata.Service:
		return "/api"
	case odata.Metadata:
		return "/api/$metadata"
	case odata.Rows:
		return "/api/rows"
	case odata.Row:
		return "/api/row"
	case odata.Property:
		return "/api/property"
	case odata.Value:
		return "/api/value"
	case odata.Count:
		return "/api/count"
	}
	return mirrorRoot
}

// answer reads the copy.
func (m mirrored) answer(ctx context.Context) (answer, error) {
	switch m.Kind {
	case odata.Service:
		return m.service(), nil
	case odata.Metadata:
		return answer{contentType: xmlType, body: m.Model().Metadata()}, nil
	case odata.Rows:
		page, err := m.copy.Rows(ctx, m.Request, m.limit)
		if err != nil {
			return answer{}, err
		}
		return m.page(page)
	case odata.Count:
		n, err := m.copy.Count(ctx, m.Request)
		return answer{contentType: textType, body: fmt.Append(nil, n)}, err
	case odata.Row, odata.Property, odata.Value:
		row, err := m.copy.Row(ctx, m.Request)
		if err != nil {
			return answer{}, err
		}
		return m.row(row)
	}
	return answer{}, fmt.Errorf("answer a resource of kind %d", m.Kind)
}
