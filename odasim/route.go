package odasim

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"odastream/odata"
)

// reply returns the answer to a request.
func (s *Server) reply(r *http.Request, f fault) reply {
	if a, faulty := f.replacement(); faulty {
		return a
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return noWrites()
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), Root)
	if !ok || path != "" && path[0] != '/' {
		return notFound()
	}
	return s.resource(r, path, f)
}

// resource answers a path behind the root.
func (s *Server) resource(r *http.Request, path string, f fault) reply {
	request, err := s.parse(path, r.URL.RawQuery)
	var wrong *odata.Error
	if errors.As(err, &wrong) && wrong.NotFound {
		return notFound()
	}
	if err != nil {
		return badQuery()
	}
	switch request.Kind {
	case odata.Service:
		return s.serviceDocument(r)
	case odata.Metadata:
		return found(xmlType, s.model.Metadata())
	case odata.Rows, odata.Row:
		return s.rows(r, request, f)
	}
	return notFound() // the source is not known to answer other kinds
}

// rows answers for the rows of a set, or for those that links lead to from one.
func (s *Server) rows(r *http.Request, request *odata.Request, f fault) reply {
	t := s.sets[request.Set.Name]
	if t.absent(s.options.EmptyMissing) {
		return notFound()
	}
	v := s.view()
	if request.Key == nil {
		return s.page(r, request, page{set: t, whole: true, query: newQuery(request, v)}, f)
	}
	one, exists := t.get(*request.Key)
	if !exists {
		return unknownID()
	}
	rows := []odata.Record{record{v, one.data}}
	for _, l := range request.Links {
		if rows = rows[0].Linked(l); len(rows) == 0 && !l.Many {
			return unknownID()
		}
	}
	to := s.sets[request.Entity.Name]
	if request.Kind == odata.Row {
		return s.entity(r, to, request, rows[0].(record))
	}
	return s.page(r, request, page{set: to, within: rows, query: newQuery(request, v)}, f)
}

// absent reports whether the set answers 404.
func (s *set) absent(ifEmpty bool) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.missing || ifEmpty && s.rows.n == 0
}

// entity answers for one row.
func (s *Server) entity(r *http.Request, t *set, request *odata.Request, one record) reply {
	if s.wantsAtom(r) {
		return found(entryType, atomEntry(s.base(r), t, one.data))
	}
	w := shaper{view: one.view, base: s.base(r), limit: s.options.PageCap}
	return found(jsonType, entityJSON(s.base(r), t.name, w.shaped(t.name, one.data, request.Shape)))
}

// pathOf returns the path of a resource that has rows, for links.
func pathOf(r odata.Resource) string {
	segments := []string{url.PathEscape(r.Set.Name)}
	if r.Key != nil {
		segments[0] += fmt.Sprintf("(%d)", *r.Key)
	}
	for _, l := range r.Links {
		segments = append(segments, url.PathEscape(l.Name))
	}
	return strings.Join(segments, "/")
}

// page answers a query of rows.
func (s *Server) page(r *http.Request, request *odata.Request, p page, f fault) reply {
	f.dropFilter(&p.query)
	p.base, p.path = s.base(r), pathOf(request.Resource)
	p.fill(s, r.URL.Query(), f)
	if s.wantsAtom(r) {
		return found(atomType, p.atom())
	}
	return found(jsonType, p.json())
}

// base is the service's own address, for links.
func (s *Server) base(r *http.Request) string {
	if s.options.PublicURL != "" {
		return s.options.PublicURL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + Root
}

// wantsAtom reports whether the client asks for Atom, or gets it by default.
func (s *Server) wantsAtom(r *http.Request) bool {
	switch r.URL.Query().Get("$format") {
	case "json":
		return false
	case "atom", "xml":
		return true
	}
	accept := r.Header.Get("Accept")
	switch {
	case strings.Contains(accept, "json"):
		return false
	case strings.Contains(accept, "atom"), strings.Contains(accept, "/xml"):
		return true
	default:
		return s.options.AtomDefault
	}
}
