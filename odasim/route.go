package odasim

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// reply returns the answer to a request.
func (s *Server) reply(r *http.Request, f fault) reply {
	if a, faulty := f.replacement(); faulty {
		return a
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return noWrites()
	}
	path, ok := strings.CutPrefix(r.URL.Path, Root)
	if !ok || path != "" && path[0] != '/' {
		return notFound()
	}
	switch path = strings.TrimPrefix(path, "/"); path {
	case "":
		return s.serviceDocument(r)
	case "$metadata":
		return found(xmlType, s.metadata())
	}
	name, key, single := strings.Cut(path, "(")
	t, known := s.sets[name]
	if !known || t.absent(s.options.EmptyMissing) {
		return notFound()
	}
	if single {
		return s.entity(r, t, key)
	}
	return s.page(r, t, f)
}

// absent reports whether the set answers 404.
func (s *set) absent(ifEmpty bool) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.missing || ifEmpty && s.rows.n == 0
}

// entity answers Set(id); key is the text after the opening parenthesis.
func (s *Server) entity(r *http.Request, t *set, key string) reply {
	digits, closed := strings.CutSuffix(key, ")")
	id, err := strconv.ParseInt(strings.TrimPrefix(digits, "id="), 10, 64)
	if !closed || err != nil {
		return badQuery()
	}
	one, exists := t.get(id)
	if !exists {
		return unknownID()
	}
	if s.wantsAtom(r) {
		return found(entryType, atomEntry(s.base(r), t, one.data))
	}
	return found(jsonType, entityJSON(s.base(r), t.name, one.data))
}

// page answers a query of a set.
func (s *Server) page(r *http.Request, t *set, f fault) reply {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badQuery()
	}
	q, err := parseQuery(values, t.fields)
	var unknown *unknownFieldError
	if err != nil && (!s.options.IgnoreUnknownFields || !errors.As(err, &unknown)) {
		return badQuery()
	}
	if unknown != nil {
		q.filter = nil
	}
	f.dropFilter(&q)
	p := page{set: t, base: s.base(r), query: q}
	p.fill(s.options.PageCap, values, f)
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
