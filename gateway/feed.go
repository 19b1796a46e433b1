package gateway

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"odastream/query"
	"odastream/schema"
)

// atomForm is the ending of an address of changes as a feed.
const atomForm = "atom"

const atomType = "application/atom+xml"

// feed is the changes of what a route is of.
type feed struct {
	of   func(input) []string // the entities that it is of
	read func(context.Context, *query.Reader, input) ([]query.Change, error)
}

// tagAuthority begins the ids of feeds and entries (RFC 4151). They are the same in every
// gateway, whatever its address.
const tagAuthority = "tag:odastream,2026:"

// atomFeed is a feed of RFC 4287.
type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Author  string      `xml:"author>name"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID       string       `xml:"id"` // of the change: each version of a row has its own
	Title    string       `xml:"title"`
	Updated  string       `xml:"updated"` // when the change was applied
	Link     atomLink     `xml:"link"`
	Category atomCategory `xml:"category"`
	Summary  string       `xml:"summary"`
}

type atomCategory struct {
	Term string `xml:"term,attr"`
}

// askFeed reads a request for the feed of a route.
func (g *Gateway) askFeed(r *http.Request, rt route) (question, error) {
	q := question{route: apiRoot + rt.path + "." + atomForm, class: rt.class}
	if !accepts(r, atomType, "application/xml", "text/xml") {
		return q, refuse(http.StatusNotAcceptable, "Accept does not name "+atomType)
	}
	rt.params = rt.feedParams()
	in, err := rt.readInput(r, g.cfg.TopMax)
	if err != nil {
		return q, err
	}
	q.class, q.of = rt.classOf(in), rt.feed.of(in)
	q.answer = func(ctx context.Context) (answer, error) {
		changes, err := rt.feed.read(ctx, g.copy, in)
		if err != nil {
			return answer{}, err
		}
		body, err := xml.MarshalIndent(newFeed(g.base(r), r.URL, changes), "", " ")
		return answer{contentType: atomType + "; charset=utf-8", body: append([]byte(xml.Header), body...)}, err
	}
	return q, nil
}

// feedParams are the parameters of the route's feed: it has no second page.
func (rt route) feedParams() []param {
	params := slices.DeleteFunc(slices.Clone(rt.params), func(p param) bool {
		return p.name == paramAfter.name || p.name == paramLimit.name || p.name == paramAsOf.name
	})
	return append(params, paramLimit)
}

// newFeed returns the feed of changes that an address is of, at a public address.
func newFeed(base string, self *url.URL, changes []query.Change) atomFeed {
	path := strings.TrimSuffix(self.EscapedPath(), "."+atomForm)
	filters := self.Query()
	filters.Del(paramLimit.name)
	name, query := strings.TrimPrefix(strings.TrimSuffix(self.Path, "."+atomForm), apiRoot+"/"), ""
	if len(filters) > 0 {
		query = "?" + filters.Encode()
	}
	f := atomFeed{
		ID: tagAuthority + path + query, Title: "Folketinget: " + name, Author: "Folketinget",
		Updated: time.Unix(0, 0).UTC().Format(time.RFC3339), // of a feed without entries
		Links:   []atomLink{{"self", atomType, base + self.RequestURI()}, {"alternate", "application/json", base + rowsOf(path) + query}},
	}
	for _, p := range slices.Sorted(maps.Keys(filters)) {
		f.Title += fmt.Sprintf(", %s %s", p, filters.Get(p))
	}
	for i, c := range changes {
		e := newEntry(base, c)
		if f.Entries = append(f.Entries, e); i == 0 || e.Updated > f.Updated {
			f.Updated = e.Updated
		}
	}
	return f
}

// rowsOf returns the address of what the feed at an address is of: the rows of an entity
// are under /api, under its own name alone.
func rowsOf(path string) string {
	name, ok := strings.CutPrefix(path, apiRoot+"/rows/")
	if !ok {
		return path
	}
	if plain, err := url.PathUnescape(name); err == nil {
		if e, err := schema.Lookup(plain); err == nil {
			name = url.PathEscape(e.Name)
		}
	}
	return mirrorRoot + "/" + name
}

func newEntry(base string, c query.Change) atomEntry {
	e := atomEntry{
		ID:    fmt.Sprintf("%s%s/%d/%d", tagAuthority, c.Entity, c.ID, c.Seq),
		Title: fmt.Sprintf("%s %d", c.Entity, c.ID), Updated: c.RecordedAt.UTC().Format(time.RFC3339),
		Link: atomLink{"alternate", "application/json", base + linkTo(c)}, Category: atomCategory{c.Action},
		Summary: fmt.Sprintf("%s %d: %sd", c.Entity, c.ID, c.Action), // created, updated, deleted
	}
	if c.Title != nil && *c.Title != "" {
		e.Title = *c.Title
	}
	if len(c.Changed) > 0 {
		e.Summary += " " + strings.Join(c.Changed, ", ")
	}
	return e
}

// nounOf are the entities that the own API has nouns for.
var nounOf = map[string]string{"Sag": "cases", "Aktør": "actors", "Afstemning": "votes", "Dokument": "documents", "Møde": "meetings"}

// linkTo returns the address of a row that has changed: of its history, if it is no more.
func linkTo(c query.Change) string {
	row := fmt.Sprintf("%s/rows/%s/%d", apiRoot, url.PathEscape(c.Entity), c.ID)
	if c.Action == "delete" {
		return row + "/history"
	}
	if noun := nounOf[c.Entity]; noun != "" {
		return fmt.Sprintf("%s/%s/%d", apiRoot, noun, c.ID)
	}
	return row
}
