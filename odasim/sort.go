package odasim

import (
	"cmp"
	"slices"
)

// sorted answers a query whose order no index has: it gathers all rows that match and
// sorts them.
func (w *walk) sorted(order []orderKey) {
	all := &walk{set: w.set, filter: w.filter, bounds: w.bounds, exact: w.exact, reads: w.reads, want: w.set.rows.n + 1}
	all.byID(false)
	keyed := make([]keyedRow, len(all.found))
	for i, data := range all.found {
		keyed[i] = keyedRow{data: data, keys: keysOf(data, order, w.set.fields)}
	}
	slices.SortStableFunc(keyed, func(a, b keyedRow) int { return compareOrder(a.keys, b.keys, order) })
	for _, k := range keyed {
		if !w.take(k.data) {
			return
		}
	}
}

// keyedRow is a row with the values that it is sorted by; nil stands for null.
type keyedRow struct {
	data []byte
	keys []*literal
}

// keysOf reads the values that a row is sorted by.
func keysOf(data []byte, order []orderKey, fields map[string]string) []*literal {
	keys := make([]*literal, len(order))
	for name, raw := range members(data) {
		for i, o := range order {
			if o.field != name {
				continue
			}
			if kind, known := kindOf(fields[name]); known {
				if v, ok := valueOf(raw, kind); ok {
					keys[i] = &v
				}
			}
		}
	}
	return keys
}

// compareOrder orders two rows by their keys; null comes before everything.
func compareOrder(a, b []*literal, order []orderKey) int {
	for i, o := range order {
		c := 0
		switch {
		case a[i] != nil && b[i] != nil:
			c = compareLiterals(*a[i], *b[i])
		default:
			c = cmp.Compare(present(a[i]), present(b[i]))
		}
		if o.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// present is 0 for null, 1 for a value.
func present(v *literal) int {
	if v == nil {
		return 0
	}
	return 1
}
