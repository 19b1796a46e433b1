package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"odastream/query"
	"odastream/schema"
)

// apiRoot is where the own API is.
const apiRoot = "/v1"

// apiDialect is JSON with problems of RFC 9457.
var apiDialect = dialect{contentType: "application/problem+json", writeFault: problem}

const plainJSON = "application/json; charset=utf-8"

// route is an address of the own API. Handlers, errors and the OpenAPI document are made
// from it.
type route struct {
	path   string // "/votes/{id}", behind apiRoot
	about  string // in a line
	class  class
	of     func(input) []string // the entities that the answer is of
	params []param
	result reflect.Type // of the JSON
	media  []string     // what it is instead of JSON; nil: it is JSON
	read   func(context.Context, *query.Reader, input) (result any, next string, err error)
	item   reflect.Type // of a list, which is then served as a file too; nil: it is none
	feed   *feed        // of the changes of what it is of; nil: there is none
}

// param is a parameter of a path or a query.
type param struct {
	name  string
	about string
	kind  kind
}

// kind is what a parameter may be.
type kind int

const (
	text kind = iota
	number
	day
	instant
)

// input is the checked parameters of a request.
type input struct {
	values map[string]string
	limit  int
}

// get returns the text of a parameter; "" if it is not given.
func (in input) get(name string) string { return in.values[name] }

// id returns the number that a path names.
func (in input) id() int64 {
	n, _ := strconv.ParseInt(in.values["id"], 10, 64) // it was checked
	return n
}

// at returns the moment of asof; nil if it is not given.
func (in input) at() *time.Time {
	t, err := time.Parse(time.RFC3339Nano, in.values["asof"])
	if err != nil {
		return nil
	}
	return &t
}

// listRows is how many items a list has if nobody asks for a number.
const listRows = 100

// The parameters of each list.
var (
	paramLimit = param{"limit", "how many items", number}
	paramAfter = param{"after", "where a list goes on: of the next of the one before", text}
)

// readInput checks the parameters of a request.
func (rt route) readInput(r *http.Request, most int) (in input, err error) {
	in = input{values: map[string]string{}, limit: listRows}
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return in, refuse(http.StatusBadRequest, "the query of the address cannot be read: "+err.Error())
	}
	for name, values := range given {
		if err := rt.check(name, values); err != nil {
			return in, err
		}
		in.values[name] = values[0]
	}
	for _, p := range rt.params {
		if value := r.PathValue(p.name); value != "" {
			if !p.kind.fits(value) {
				return in, refuse(http.StatusNotFound, fmt.Sprintf("%s is %.100q, want %s", p.name, value, p.kind.wants()))
			}
			in.values[p.name] = value
		}
	}
	if limit := in.values[paramLimit.name]; limit != "" {
		if in.limit, err = strconv.Atoi(limit); err != nil || in.limit < 1 || in.limit > most {
			return in, refuse(http.StatusBadRequest, fmt.Sprintf("limit is %s, want 1 to %d", limit, most))
		}
	}
	return in, nil
}

// check checks a parameter of the query.
func (rt route) check(name string, values []string) error {
	p, known := rt.param(name)
	switch {
	case !known:
		return refuse(http.StatusBadRequest, fmt.Sprintf("there is no parameter %.50q here; allowed: %s", name, strings.Join(rt.names(), ", ")))
	case len(values) > 1:
		return refuse(http.StatusBadRequest, name+" is given twice")
	case values[0] == "":
		return refuse(http.StatusBadRequest, name+" is empty: leave it out, or give "+p.kind.wants())
	case !p.kind.fits(values[0]):
		return refuse(http.StatusBadRequest, fmt.Sprintf("%s is %.100q, want %s", name, values[0], p.kind.wants()))
	}
	return nil
}

// inPath reports whether a parameter is a part of the path.
func (rt route) inPath(name string) bool { return strings.Contains(rt.path, "{"+name+"}") }

func (rt route) param(name string) (param, bool) {
	i := slices.IndexFunc(rt.params, func(p param) bool { return p.name == name && !rt.inPath(name) })
	if i < 0 {
		return param{}, false
	}
	return rt.params[i], true
}

// names returns the names of the query's parameters.
func (rt route) names() (names []string) {
	for _, p := range rt.params {
		if !rt.inPath(p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

func (k kind) wants() string {
	switch k {
	case number:
		return "a whole number"
	case day:
		return "a day such as 2026-01-31"
	case instant:
		return "a moment such as 2026-11-01T12:00:00Z"
	case text:
	}
	return "a text"
}

func (k kind) fits(value string) bool {
	var err error
	switch k {
	case number:
		_, err = strconv.ParseInt(value, 10, 64)
	case day:
		_, err = time.Parse(time.DateOnly, value)
	case instant:
		_, err = time.Parse(time.RFC3339Nano, value)
	case text:
	}
	return err == nil
}

// list is a page of a list, as JSON.
type list[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"` // the address of the rest; null if there is none
}

// endpoint returns the endpoint of a route.
func (g *Gateway) endpoint(rt route) endpoint {
	return func(r *http.Request) (question, error) {
		if last := rt.lastParam(); rt.feed != nil && last != "" {
			if value, ok := strings.CutSuffix(r.PathValue(last), "."+atomForm); ok {
				r.SetPathValue(last, value)
				return g.askFeed(r, rt)
			}
		}
		q := question{route: apiRoot + rt.path, class: rt.class}
		if !accepts(r, "application/json") {
			return q, refuse(http.StatusNotAcceptable, "Accept names no format that is served here: ask for application/json")
		}
		in, err := rt.readInput(r, g.cfg.TopMax)
		if err != nil {
			return q, err
		}
		q.class, q.of = rt.classOf(in), rt.of(in)
		q.answer = func(ctx context.Context) (answer, error) {
			return rt.answer(ctx, g.copy, in, g.base(r)+r.URL.EscapedPath(), r.URL.Query())
		}
		return q, nil
	}
}

// classOf returns the class of a request: many rows and a search for words are complex.
func (rt route) classOf(in input) class {
	if in.limit > mediumRows || in.get(paramQ.name) != "" {
		return complexClass
	}
	return rt.class
}

// answer reads the copy and writes the result, with the address of the rest.
func (rt route) answer(ctx context.Context, copy *query.Reader, in input, self string, given url.Values) (answer, error) {
	result, after, err := rt.page(ctx, copy, in)
	if err != nil {
		return answer{}, err
	}
	a := answer{contentType: plainJSON}
	if after != "" {
		given.Set("after", after)
		a.next = self + "?" + given.Encode()
	}
	if linked, ok := result.(interface{ link(next string) any }); ok {
		result = linked.link(a.next)
	}
	if a.body, err = json.Marshal(result); err != nil {
		return answer{}, err
	}
	if len(a.body) > maxAnswer {
		return answer{}, errTooLarge
	}
	return a, nil
}

// page reads what the route is of.
func (rt route) page(ctx context.Context, copy *query.Reader, in input) (result any, next string, err error) {
	result, next, err = rt.read(ctx, copy, in)
	if errors.Is(err, query.ErrToken) {
		err = refuse(http.StatusBadRequest, "after is not of this list: leave it out to begin again")
	}
	return result, next, err
}

// page is a list before its address is known.
type page[T any] struct{ items []T }

// paged is a page of any items.
type paged interface{ all() []any }

func (p page[T]) all() []any {
	all := make([]any, len(p.items))
	for i, item := range p.items {
		all[i] = item
	}
	return all
}

func (p page[T]) link(next string) any {
	l := list[T]{Items: p.items}
	if l.Items == nil {
		l.Items = []T{}
	}
	if next != "" {
		l.Next = &next
	}
	return l
}

// problemDocument is a fault as RFC 9457 has it.
type problemDocument struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
	Cursor   string `json:"cursor,omitempty"` // of changes: where to go on
}

func newProblem(r *http.Request, f *fault) problemDocument {
	return problemDocument{Type: "about:blank", Title: http.StatusText(f.status), Status: f.status, Detail: f.detail, Instance: r.URL.EscapedPath()}
}

func (p problemDocument) text() []byte {
	text, err := json.Marshal(p)
	if err != nil {
		return nil // no string fails
	}
	return text
}

// problem writes a fault as RFC 9457 has it.
func problem(r *http.Request, f *fault) []byte { return newProblem(r, f).text() }

// entityNamed returns the entity that a path names, in any spelling.
func entityNamed(in input) []string {
	e, err := schema.Lookup(in.get("entity"))
	if err != nil {
		return nil
	}
	return []string{e.Name}
}
