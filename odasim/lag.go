package odasim

import (
	"bytes"
	"sync"
	"time"
)

// freshAnswers is how many answers show a row as it is after one that showed an old
// version of it.
const freshAnswers = 3

// secondNode is a second node of the service: a set as it was some time ago.
type secondNode struct {
	lag time.Duration
	now func() time.Time

	mu      sync.Mutex
	set     *set     // without a node of its own
	pending []change // that the node does not show yet, oldest first
	fresh   map[int64]int
}

// change is a row that was put or removed.
type change struct {
	at      time.Time
	row     row
	removed bool
}

// note notes a change, which the node shows after its lag. A nil node notes nothing.
func (n *secondNode) note(r row, removed bool) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending = append(n.pending, change{n.now(), r, removed})
}

// replace replaces all rows at once: the node is set back from here on.
func (n *secondNode) replace(rows []row) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending = nil
	n.set.mu.Lock()
	defer n.set.mu.Unlock()
	n.set.rows, n.set.stamps = newRowList(rows), newStampIndex(rows)
}

// catchUp makes the changes that are old enough.
func (n *secondNode) catchUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	for len(n.pending) > 0 && !now.Before(n.pending[0].at.Add(n.lag)) {
		if c := n.pending[0]; c.removed {
			n.set.remove(c.row.id)
		} else {
			n.set.put(c.row)
		}
		n.pending = n.pending[1:]
	}
}

// choose returns the old answer if it differs and each row that differs may be shown old.
// Else it returns the true one.
func (n *secondNode) choose(is, was answer, lagging bool) (chosen answer, old bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	rows := differing(is.rows, was.rows)
	old = lagging && len(rows) > 0
	for _, id := range rows {
		old = old && n.fresh[id] == 0
	}
	for _, id := range rows {
		switch {
		case old:
			n.fresh[id] = freshAnswers
		case n.fresh[id] > 0:
			n.fresh[id]--
		}
	}
	if old {
		return was, true
	}
	return is, false
}

// differing returns the ids of the rows that two answers show differently.
func differing(a, b [][]byte) (ids []int64) {
	rows := map[int64][]byte{}
	for _, data := range a {
		rows[idOf(data)] = data
	}
	for _, data := range b {
		id := idOf(data)
		if !bytes.Equal(rows[id], data) {
			ids = append(ids, id)
		}
		delete(rows, id)
	}
	for id := range rows {
		ids = append(ids, id)
	}
	return ids
}

// idOf returns the id of a row.
func idOf(data []byte) int64 {
	r := row{data: data}
	_ = (&Options{Compare: CompareText}).read(&r) // it was read before
	return r.id
}

// runNodes answers a query with at most limit rows, from the second node if lagging and
// there is one. old reports whether the answer differs from the true one.
func (s *set) runNodes(q query, limit int, lagging bool) (a answer, old bool) {
	a = s.run(q, limit)
	if s.second == nil {
		return a, false
	}
	s.second.catchUp()
	return s.second.choose(a, s.second.set.run(q, limit), lagging)
}
