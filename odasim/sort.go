package odasim

import (
	"slices"

	"odastream/odata"
)

// sorted answers a query whose order no index has: it gathers all rows that match and
// sorts them.
func (w *walk) sorted(order []orderKey) {
	all := &walk{set: w.set, filter: w.filter, bounds: w.bounds, exact: w.exact, reads: w.reads, view: w.view, want: w.set.rows.n + 1}
	all.byID(false)
	w.view.sort(all.found, order)
	for _, data := range all.found {
		if !w.take(data) {
			return
		}
	}
}

// sort sorts rows that come by id. What ties in all keys stays in that order.
func (v *view) sort(rows [][]byte, order []orderKey) {
	type keyedRow struct {
		data []byte
		keys []any
	}
	order = slices.DeleteFunc(slices.Clone(order), func(k orderKey) bool { return k.Expr == nil })
	keyed := make([]keyedRow, len(rows))
	for i, data := range rows {
		keyed[i].data = data
		for _, k := range order {
			keyed[i].keys = append(keyed[i].keys, odata.Eval(k.Expr, record{v, data}))
		}
	}
	slices.SortStableFunc(keyed, func(a, b keyedRow) int { return compareKeysOf(a.keys, b.keys, order) })
	for i, k := range keyed {
		rows[i] = k.data
	}
}

// compareKeysOf orders two rows by the values of their keys.
func compareKeysOf(a, b []any, order []orderKey) int {
	for i, k := range order {
		c := odata.CompareValues(a[i], b[i])
		if k.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}
