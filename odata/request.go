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
	AsOf      *time.Time // the instant that is asked for; nil: now
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
func Parse(rawPath, rawQuery string) (*Request, error) {
	resource, err := parseResource(rawPath)
	if err != nil {
		return nil, err
	}
	list, err := options(rawQuery)
	if err != nil {
		return nil, err
	}
	r := &Request{Resource: resource, Shape: Shape{entity: resource.Entity}}
	// $select is about what $expand gives.
	slices.SortStableFunc(list, func(a, b option) int { return strings.Compare(a.name, b.name) })
	for _, o := range list {
		if err := r.read(o); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// read reads one option.
func (r *Request) read(o option) (err error) {
	allowed := append([]string{"$format", optionAsOf}, kindOptions[r.Kind]...)
	if !slices.Contains(allowed, o.name) {
		return &Error{Option: o.name, What: "this option does not apply here", Allowed: allowed}
	}
	switch o.name {
	case "$filter":
		r.Filter, err = parseFilter(o, r.Entity)
	case "$orderby":
		r.OrderBy, err = parseOrder(o, r.Entity)
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
		err = o.checkFormat()
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

// checkFormat accepts JSON, with the parameters that clients give it.
func (o option) checkFormat() error {
	format, _, _ := strings.Cut(o.text, ";")
	if format = strings.TrimSpace(format); strings.EqualFold(format, "json") || strings.EqualFold(format, "application/json") {
		return nil
	}
	return &Error{Option: o.name, What: strconv.Quote(o.text) + " is not written here", Allowed: []string{"json"}, NotAcceptable: true}
}

// instant returns the instant of asof.
func (o option) instant() (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, o.text)
	if err != nil {
		return t, &Error{Option: o.name, What: strconv.Quote(o.text) + " is not an instant of the form 2026-11-01T12:00:00Z"}
	}
	return t, nil
}

// parseOrder reads keys that commas separate, each with asc or desc behind it.
func parseOrder(o option, entity schema.Entity) (keys []OrderKey, err error) {
	p, err := newParser(o, entity)
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
