package odasim

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is a client's query of a set.
type query struct {
	filter filter // nil: everything
	order  []orderKey
	top    int // -1: not given
	skip   int
	count  bool
	fields map[string]bool // of $select; nil: all
}

// orderKey is one part of an $orderby.
type orderKey struct {
	field string
	desc  bool
}

// parseQuery reads the system query options for a set with these fields. Every error is a
// 400, except an *unknownFieldError of the filter, which the caller decides on.
func parseQuery(values url.Values, fields map[string]string) (query, error) {
	q := query{top: -1}
	var unknown *unknownFieldError
	for name, given := range values {
		if !strings.HasPrefix(name, "$") {
			continue // other parameters do not concern the service
		}
		if len(given) > 1 {
			return q, fmt.Errorf("parse query: %s given %d times", name, len(given))
		}
		err := q.read(name, given[0], fields)
		if name == "$filter" && errors.As(err, &unknown) {
			continue
		}
		if err != nil {
			return q, err
		}
	}
	if unknown != nil {
		return q, unknown
	}
	return q, nil
}

// read sets one option.
func (q *query) read(name, value string, fields map[string]string) (err error) {
	switch name {
	case "$filter":
		q.filter, err = parseFilter(value, fields)
	case "$orderby":
		q.order, err = parseOrder(value, fields)
	case "$top":
		q.top, err = parseCount(value)
	case "$skip":
		q.skip, err = parseCount(value)
	case "$inlinecount":
		q.count = value == "allpages"
		if !q.count && value != "none" {
			err = fmt.Errorf("parse query: $inlinecount=%q", value)
		}
	case "$select":
		q.fields, err = parseSelect(value, fields)
	case "$format":
	default:
		err = fmt.Errorf("parse query: unknown option %s", name)
	}
	return err
}

// parseCount reads a $top or $skip.
func parseCount(value string) (int, error) {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("parse query: %q is not a count", value)
	}
	return int(n), nil
}

// parseOrder reads an $orderby: field [asc|desc], and more after commas. The id is added
// at the end, as the service does to keep pages stable.
func parseOrder(value string, fields map[string]string) ([]orderKey, error) {
	var order []orderKey
	for part := range strings.SplitSeq(value, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || len(words) > 2 {
			return nil, fmt.Errorf("parse query: $orderby=%q", value)
		}
		if _, known := fields[words[0]]; !known {
			return nil, fmt.Errorf("parse query: $orderby: no field %q", words[0])
		}
		key := orderKey{field: words[0]}
		if len(words) == 2 {
			if words[1] != "asc" && words[1] != "desc" {
				return nil, fmt.Errorf("parse query: $orderby=%q", value)
			}
			key.desc = words[1] == "desc"
		}
		order = append(order, key)
	}
	byID := slices.IndexFunc(order, func(k orderKey) bool { return k.field == "id" })
	if byID < 0 {
		return append(order, orderKey{field: "id"}), nil
	}
	return order[:byID+1], nil // no two rows have the same id, so what follows has no effect
}

// parseSelect reads a $select: fields, or * for all of them.
func parseSelect(value string, fields map[string]string) (map[string]bool, error) {
	chosen := map[string]bool{}
	for part := range strings.SplitSeq(value, ",") {
		name := strings.TrimSpace(part)
		if name == "*" {
			return nil, nil
		}
		if _, known := fields[name]; !known {
			return nil, fmt.Errorf("parse query: $select: no field %q", name)
		}
		chosen[name] = true
	}
	return chosen, nil
}
