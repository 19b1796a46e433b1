package query

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"odastream/odata"
)

// sortKey is a key of the order of a page, as SQL.
type sortKey struct {
	expr string // as it compares
	raw  string // as it is, for the token of the next page
	typ  string
	desc bool
	id   bool // each row has another value, and none has null
}

// sortKeys returns the keys of an order. The last is always the id, which never ties.
func (c *compiler) sortKeys(order []odata.OrderKey) (keys []sortKey) {
	for _, k := range order {
		typ := postgresType(k.Expr.Type())
		keys = append(keys, sortKey{expr: c.sortable(k.Expr, typ), raw: cast(c.value(k.Expr, typ), "text"), typ: typ, desc: k.Desc, id: isID(k.Expr)})
		if isID(k.Expr) {
			return keys
		}
	}
	id := c.sources[0].alias + ".entity_id"
	return append(keys, sortKey{expr: id, raw: cast(id, "text"), typ: "bigint", id: true})
}

func isID(e odata.Expr) bool {
	p, ok := e.(*odata.Path)
	return ok && p.Var == 0 && len(p.Links) == 0 && p.Field.Name == "id"
}

// orderBy returns the key as a part of ORDER BY: null is before all values. Of an id the
// place of nulls is left to Postgres, so that the primary key gives the order.
func (k sortKey) orderBy() string {
	switch {
	case k.id && k.desc:
		return k.expr + " DESC"
	case k.id:
		return k.expr
	case k.desc:
		return k.expr + " DESC NULLS LAST"
	}
	return k.expr + " NULLS FIRST"
}

// after returns the condition that rows are behind the one with these values.
func (c *compiler) after(keys []sortKey, values []*string) string {
	behind := "false"
	for i, k := range slices.Backward(keys) {
		if values[i] == nil {
			behind = fmt.Sprintf("(%s IS NOT NULL OR %s)", k.expr, behind)
			if k.desc {
				behind = fmt.Sprintf("(%s IS NULL AND %s)", k.expr, behind)
			}
			continue
		}
		value := cast(c.arg(*values[i], "text"), k.typ)
		if k.typ == "text" {
			value = lower(value)
		}
		if k.id {
			sign := map[bool]string{false: ">", true: "<"}[k.desc]
			behind = fmt.Sprintf("(%s %s %s)", k.expr, sign, value)
			continue
		}
		beyond := fmt.Sprintf("%s > %s", k.expr, value)
		if k.desc {
			beyond = fmt.Sprintf("%s < %s OR %s IS NULL", k.expr, value, k.expr)
		}
		behind = fmt.Sprintf("(%s OR %s = %s AND %s)", beyond, k.expr, value, behind)
	}
	return behind
}

// mark returns what a token of the view ends with, besides the values of keys: the
// instant, so that no page goes on with the rows of another one.
func (v view) mark() []*string {
	if v.asOf == nil {
		return nil
	}
	instant := "asof " + strconv.FormatInt(v.asOf.UnixMicro(), 10)
	return []*string{&instant}
}

// writeToken writes the values of the last row of a page as a $skiptoken.
func (v view) writeToken(values []*string) (string, error) {
	values = append(values, v.mark()...)
	text, err := json.Marshal(values)
	return base64.RawURLEncoding.EncodeToString(text), err
}

// readToken returns the values of a $skiptoken.
func (v view) readToken(token string, keys []sortKey) (values []*string, err error) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, ErrToken
	}
	mark := v.mark()
	if err := json.Unmarshal(text, &values); err != nil || len(values) != len(keys)+len(mark) {
		return nil, ErrToken
	}
	values, end := values[:len(keys)], values[len(keys):]
	for i, want := range mark {
		if end[i] == nil || *end[i] != *want {
			return nil, ErrToken
		}
	}
	return values, nil
}
