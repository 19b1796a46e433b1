package odasim

import (
	"cmp"
	"slices"
)

// answer is the result of a query: at most limit rows, whether there are more, and the
// number of all rows that match (if requested).
type answer struct {
	rows  [][]byte
	more  bool
	count int
}

// run answers a query with at most limit rows. The view is consistent: no row changes
// while it runs.
func (s *set) run(q query, limit int) answer {
	if q.linked {
		return q.over(s.allRows(), limit)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	w := &walk{set: s, filter: q.filter, bounds: everything(), skip: q.skip, view: q.view, want: limit + 1}
	if q.filter != nil {
		w.bounds = q.filter.bounds()
		w.exact, w.reads = w.bounds.exact, q.filter.reads()
	} else {
		w.exact = true
	}
	w.ordered(q.order)
	a := answer{more: len(w.found) > limit}
	a.rows = w.found[:min(limit, len(w.found))]
	if q.count {
		a.count = s.matches(q.filter, w.bounds)
	}
	return a
}

// over answers a query of these rows, which come by id.
func (q query) over(rows []row, limit int) answer {
	var found [][]byte
	for _, r := range rows {
		if q.filter == nil || q.filter.match(r) {
			found = append(found, r.data)
		}
	}
	a := answer{count: len(found)}
	if len(q.order) > 0 {
		q.view.sort(found, q.order)
	}
	found = found[min(q.skip, len(found)):]
	a.more = len(found) > limit
	a.rows = found[:min(limit, len(found))]
	return a
}

// walk goes through a set in a query's order and keeps the rows that match.
type walk struct {
	set    *set
	filter filter
	bounds bounds
	exact  bool // the bounds are the whole filter
	reads  bool // the filter needs the rows' data
	view   *view
	skip   int
	want   int
	found  [][]byte
}

// ordered walks in the query's order, along an index if there is one.
func (w *walk) ordered(order []orderKey) {
	if len(order) == 0 || order[0].field == "id" {
		w.byID(len(order) > 0 && order[0].Desc)
		return
	}
	down, indexed := w.indexed(order)
	switch {
	case !indexed:
		w.sorted(order)
	case down:
		w.byStampDown(!order[1].Desc)
	default:
		w.byStamp()
	}
}

// indexed reports whether an order is that of the stamp index: by stamp, then id. If
// stamps descend, the ids of a tie may go either way.
func (w *walk) indexed(order []orderKey) (down, indexed bool) {
	if len(order) != 2 || order[0].field != stampField || order[1].field != "id" {
		return false, false
	}
	return order[0].Desc, order[0].Desc || !order[1].Desc
}

// matches reports whether the row matches the filter.
func (w *walk) matches(r row) bool {
	return w.bounds.holds(r.id, r.stamp) && (w.exact || w.filter.match(r))
}

// take keeps a matching row, once enough are skipped, and reports whether more are
// wanted.
func (w *walk) take(data []byte) bool {
	if w.skip > 0 {
		w.skip--
		return true
	}
	w.found = append(w.found, data)
	return len(w.found) < w.want
}

// byID walks in the order of ids. A narrow window of stamps is gathered from the index
// and sorted. Otherwise it walks the blocks, and skips those without a stamp in the
// window.
func (w *walk) byID(desc bool) {
	if w.bounds.stamped() {
		if keys, narrow := w.window(); narrow {
			w.takeKeys(keys, desc)
			return
		}
	}
	if desc {
		w.down()
		return
	}
	w.up()
}

// window gathers the keys that match from the stamp index, unless the window has too many
// rows to count as narrow.
func (w *walk) window() (keys []stampKey, narrow bool) {
	x := &w.set.stamps
	begin, end := x.seek(w.bounds.first), x.after(w.bounds.maxStamp)
	if x.wider(begin, end, w.set.narrow) {
		return nil, false
	}
	x.from(begin, func(k stampKey) bool {
		if k.stamp > w.bounds.maxStamp {
			return false
		}
		if w.matches(w.rowOf(k)) {
			keys = append(keys, k)
		}
		return true
	})
	return keys, true
}

// rowOf returns the row of a key, with data only if the filter reads it.
func (w *walk) rowOf(k stampKey) row {
	if w.reads {
		r, _ := w.set.rows.get(k.id)
		return r
	}
	return row{id: k.id, stamp: k.stamp}
}

// takeKeys takes the rows of keys that match, by id.
func (w *walk) takeKeys(keys []stampKey, desc bool) {
	slices.SortFunc(keys, func(a, b stampKey) int { return cmp.Compare(a.id, b.id) })
	if desc {
		slices.Reverse(keys)
	}
	for _, k := range keys {
		r, _ := w.set.rows.get(k.id)
		if !w.take(r.data) {
			return
		}
	}
}

// up walks the blocks by ascending id.
func (w *walk) up() {
	rows := &w.set.rows
	p := rows.seek(w.bounds.minID)
	for ; p.block < len(rows.blocks); p = (place{block: p.block + 1}) {
		b := &rows.blocks[p.block]
		if b.ids[0] > w.bounds.maxID {
			return
		}
		if w.passes(b) {
			continue
		}
		for i := p.at; i < len(b.ids); i++ {
			if w.matches(b.row(i)) && !w.take(b.data[i]) {
				return
			}
		}
	}
}

// down walks the blocks by descending id.
func (w *walk) down() {
	rows := &w.set.rows
	last := len(rows.blocks) - 1
	if w.bounds.maxID < maxID {
		last = min(last, rows.seek(w.bounds.maxID).block)
	}
	for n := last; n >= 0; n-- {
		b := &rows.blocks[n]
		if b.ids[len(b.ids)-1] < w.bounds.minID {
			return
		}
		if w.passes(b) {
			continue
		}
		for i := range slices.Backward(b.ids) {
			if w.matches(b.row(i)) && !w.take(b.data[i]) {
				return
			}
		}
	}
}

// passes reports whether no row of the block can match.
func (w *walk) passes(b *rowBlock) bool {
	return w.bounds.minStamp > noMoment && (b.hi < w.bounds.minStamp || b.lo > w.bounds.maxStamp)
}

// byStamp walks by stamp, then id.
func (w *walk) byStamp() {
	x := &w.set.stamps
	x.from(x.seek(w.bounds.first), func(k stampKey) bool {
		if k.stamp > w.bounds.maxStamp {
			return false
		}
		return w.takeKey(k)
	})
}

// takeKey takes the row of a key if it matches, and reports whether more are
// wanted.
func (w *walk) takeKey(k stampKey) bool {
	if !w.matches(w.rowOf(k)) {
		return true
	}
	r, _ := w.set.rows.get(k.id)
	return w.take(r.data)
}

// byStampDown walks by descending stamp; ties by descending or ascending id.
func (w *walk) byStampDown(tiesUp bool) {
	x := &w.set.stamps
	end := x.after(w.bounds.maxStamp)
	var tie []stampKey
	more := true
	flush := func() bool {
		for _, k := range slices.Backward(tie) {
			if more = w.takeKey(k); !more {
				break
			}
		}
		tie = tie[:0]
		return more
	}
	x.before(end, func(k stampKey) bool {
		if k.stamp < w.bounds.minStamp {
			return false
		}
		if !tiesUp {
			more = w.takeKey(k)
			return more
		}
		if len(tie) > 0 && tie[0].stamp != k.stamp && !flush() {
			return false
		}
		tie = append(tie, k)
		return true
	})
	if more {
		flush()
	}
}

// matches counts the rows that match a filter.
func (s *set) matches(f filter, b bounds) int {
	if f == nil {
		return s.rows.n
	}
	if b.exact && !b.stamped() && b.minID <= b.maxID {
		n := s.rows.n
		if b.maxID < maxID {
			n = s.rows.rank(s.rows.seek(b.maxID + 1))
		}
		return max(0, n-s.rows.rank(s.rows.seek(b.minID)))
	}
	w := &walk{set: s, filter: f, bounds: b, exact: b.exact, reads: f.reads(), want: s.rows.n + 1}
	w.byID(false)
	return len(w.found)
}
