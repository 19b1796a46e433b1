package odasim

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"odastream/schema"
)

// narrowRows is the highest number of rows in a window that are gathered from the stamp
// index. The rows of a wider window are walked by id.
const narrowRows = 2000

// set is one entity set: its rows by id, and an index by stamp.
type set struct {
	name   string
	fields map[string]string // Edm type by field name
	narrow int               // highest number of rows that are gathered from the index

	mu      sync.RWMutex
	missing bool        // answers 404
	second  *secondNode // nil: there is none
	rows    rowList
	stamps  stampIndex
}

// newSet makes an empty set.
func newSet(e schema.Entity) *set {
	s := &set{name: e.Name, fields: map[string]string{}, narrow: narrowRows}
	for _, f := range e.Fields {
		s.fields[f.Name] = f.Type
	}
	return s
}

// put adds a row, or replaces the one with its id.
func (s *set) put(r row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing = false
	old, replaced := s.rows.put(r)
	if replaced {
		s.stamps.remove(stampKey{stamp: old.stamp, id: old.id})
	}
	s.stamps.insert(stampKey{stamp: r.stamp, id: r.id})
	s.second.note(r, false)
}

// remove removes a row and reports whether it existed.
func (s *set) remove(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, removed := s.rows.remove(id)
	if removed {
		s.stamps.remove(stampKey{stamp: old.stamp, id: old.id})
		s.second.note(old, true)
	}
	return removed
}

// replace replaces all rows of the set. They may be in any order; two with the same id
// are an error.
func (s *set) replace(rows []row) error {
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	for i := 1; i < len(rows); i++ {
		if rows[i].id == rows[i-1].id {
			return fmt.Errorf("load %s: id %d twice", s.name, rows[i].id)
		}
	}
	list, index := newRowList(rows), newStampIndex(rows)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing, s.rows, s.stamps = false, list, index
	s.second.replace(rows)
	return nil
}

// get returns the row with the id.
func (s *set) get(id int64) (row, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rows.get(id)
}

// len returns the number of rows.
func (s *set) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rows.n
}

// nth returns the row at a rank by id, 0 to len-1.
func (s *set) nth(rank int) row {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rows.nth(rank)
}

// maxID returns the highest id, 0 for an empty set.
func (s *set) maxID() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.rows.blocks) == 0 {
		return 0
	}
	ids := s.rows.blocks[len(s.rows.blocks)-1].ids
	return ids[len(ids)-1]
}

// allRows returns the rows in the order of their ids.
func (s *set) allRows() []row {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rows := make([]row, 0, s.rows.n)
	for _, b := range s.rows.blocks {
		for i := range b.ids {
			rows = append(rows, b.row(i))
		}
	}
	return rows
}

// all returns the rows' data in the order of their ids.
func (s *set) all() [][]byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	data := make([][]byte, 0, s.rows.n)
	for _, b := range s.rows.blocks {
		data = append(data, b.data...)
	}
	return data
}
