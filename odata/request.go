package odata

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"odastream/schema"
)

// Request is a checked URL.
type Request struct {
	Resource
	Filter    Expr // nil: all rows
	OrderBy   []OrderKey
	Top       *int64 // nil: not given
	Skip      int64
	SkipToken string // "": from the start
	Count     bool   // $inlinecount=allpages
	Shape     Shape
	Format    Format     // of $format; "" if it is not given
	AsOf      *time.Time // the instant whose rows are asked for; nil: now
}

// OrderKey is a part of $orderby. Rows that tie in all of them come by id.
type OrderKey struct {
	Expr Expr
	Desc bool
}

const optionAsOf = "asof"

// maxOrderKeys is how many keys $orderby may have.
const maxOrderKeys = 16

// The options that each kind of resource takes, besides $format and asof.
var (
	rowOptions  = []string{"$select", "$expand"}
	rowsOptions = []string{"$filter", "$orderby", "$top", "$skip", "$skiptoken", "$inlinecount", "$select", "$expand"}
	kindOptions = map[Kind][]string{Rows: rowsOptions, Row: rowOptions, Count: {"$filter"}}
)

// Parse reads the path behind the service's root and the query of a URL, both as they
// were sent. Each error is an *Error.
func (m *Model) Parse(rawPath, rawQuery string) (*Request, error) {
	resource, err := m.parseResource(rawPath)
	if err != nil {
		return nil, err
	}
	list, err := options(rawQuery)
	if err != nil {
		return nil, err
	}
	r := &Request{Resource: resource, Shape: Shape{entity: resource.Entity, model: m}}
	// $select is about what $expand gives.
	slices.SortStableFunc(list, func(a, b option) int { return strings.Compare(a.name, b.name) })
	for _, o := range list {
		if err := m.read(r, o); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// read reads one option.
func (m *Model) read(r *Request, o option) (err error) {
	allowed := append([]string{"$format", optionAsOf}, kindOptions[r.Kind]...)
	if !slices.Contains(allowed, o.name) {
		return &Error{Option: o.name, What: "this option does not apply here", Allowed: allowed}
	}
	switch o.name {
	case "$filter":
		r.Filter, err = parseFilter(m, o, r.Entity)
	case "$orderby":
		r.OrderBy, err = parseOrder(m, o, r.Entity)
	case "$select":
		err = r.Shape.choose(o)
	case "$expand":
		err = r.Shape.expand(o)
	case "$skiptoken":
		r.SkipToken = o.text
	default:
		err = r.readScalar(o)
	}
	return err
}

// readScalar reads an option that is a single word.
func (r *Request) readScalar(o option) (err error) {
	switch o.name {
	case "$top":
		var n int64
		n, err = o.number()
		r.Top = &n
	case "$skip":
		r.Skip, err = o.number()
	case "$inlinecount":
		if r.Count = o.text == "allpages"; !r.Count && o.text != "none" {
			err = &Error{Option: o.name, What: "unknown value " + strconv.Quote(o.text), Allowed: []string{"allpages", "none"}}
		}
	case "$format":
		r.Format, err = o.format()
	case optionAsOf:
		var t time.Time
		t, err = o.instant()
		r.AsOf = &t
	}
	return err
}

// number returns a number of rows.
func (o option) number() (int64, error) {
	n, err := strconv.ParseInt(o.text, 10, 64)
	if err != nil || n < 0 {
		return 0, &Error{Option: o.name, What: strconv.Quote(o.text) + " is not a whole number from 0 to 2⁶³-1"}
	}
	return n, nil
}

// Format is a format of answers.
type Format string

// The formats that OData v3 has. Who answers says which of them it writes.
const (
	JSON Format = "json"
	Atom Format = "atom"
	XML  Format = "xml"
)

// format reads a format: its short name or its media type, with the parameters that
// clients give it.
func (o option) format() (Format, error) {
	name, _, _ := strings.Cut(strings.ToLower(o.text), ";")
	switch name = strings.TrimSpace(name); name {
	case "json", "application/json":
		return JSON, nil
	case "atom", "application/atom+xml":
		return Atom, nil
	case "xml", "application/xml":
		return XML, nil
	}
	return "", &Error{Option: o.name, What: "unknown format " + strconv.Quote(o.text), Allowed: []string{"json"}}
}

// parseOrder reads keys that commas separate, each with asc or desc behind it.
func parseOrder(m *Model, o option, entity schema.Entity) (keys []OrderKey, err error) {
	p, err := newParser(m, o, entity)
	if err != nil {
		return nil, err
	}
	for {
		key, err := p.orderKey()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
		switch {
		case p.ahead.kind == tokenEnd:
			return keys, nil
		case len(keys) == maxOrderKeys:
			return nil, p.wrong(p.ahead.at, "there are more than %d keys", maxOrderKeys)
		}
		if err := p.expect(','); err != nil {
			return nil, err
		}
	}
}

// orderKey reads one key and its direction.
func (p *parser) orderKey() (key OrderKey, err error) {
	if key.Expr, err = p.expression(); err != nil {
		return key, err
	}
	if p.ahead.kind == tokenName {
		key.Desc = strings.EqualFold(p.ahead.text, "desc")
		if !key.Desc && !strings.EqualFold(p.ahead.text, "asc") {
			return key, p.unexpected("asc or desc")
		}
		err = p.advance()
	}
	return key, err
}
