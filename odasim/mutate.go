package odasim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// named returns the set with this name in the service's spelling (Aktør).
func (s *Server) named(name string) (*set, error) {
	if t, known := s.sets[name]; known {
		return t, nil
	}
	return nil, fmt.Errorf("find set %q: no such set", name)
}

// Put adds a row, or replaces the one with its id. It may have any stamp: the same as
// before (a silent edit), one in the future, an older one, or null. The row is a JSON
// object with an id. All its members are served, without blanks and in the order given,
// even those that the set does not know.
func (s *Server) Put(set string, data []byte) error {
	t, err := s.named(set)
	if err != nil {
		return err
	}
	r, err := s.options.encode(data)
	if err != nil {
		return fmt.Errorf("put row of %s: %w", set, err)
	}
	t.put(r)
	return nil
}

// Delete removes a row without a trace, as the service does, and reports whether it
// existed.
func (s *Server) Delete(set string, id int64) bool {
	t, err := s.named(set)
	return err == nil && t.remove(id)
}

// Edit changes one member of a row to a JSON value and keeps the stamp, which the source
// does not show as a change. To touch a row without changing it, edit its
// opdateringsdato. A member that the row lacks is added at its end.
func (s *Server) Edit(set string, id int64, name string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("edit row %d of %s: %w", id, set, err)
	}
	return s.edit(set, id, map[string]json.RawMessage{name: raw})
}

// edit changes members of a row, all at once.
func (s *Server) edit(set string, id int64, changed map[string]json.RawMessage) error {
	t, err := s.named(set)
	if err != nil {
		return err
	}
	old, exists := t.get(id)
	if !exists {
		return fmt.Errorf("edit row %d of %s: no such row", id, set)
	}
	data, err := withMembers(old.data, changed)
	if err != nil {
		return fmt.Errorf("edit row %d of %s: %w", id, set, err)
	}
	return s.Put(set, data)
}

// withMembers returns a row with other values for some members. New members come at the
// end, sorted by name.
func withMembers(data []byte, changed map[string]json.RawMessage) (b []byte, err error) {
	b = []byte{'{'}
	had := map[string]bool{}
	for name, value := range members(data) {
		had[name] = true
		if raw, ok := changed[name]; ok {
			value = jsontext.Value(raw)
		}
		if b, err = appendMember(b, name, value); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		if had[name] {
			continue
		}
		if b, err = appendMember(b, name, changed[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendMember writes "name":value, with a comma unless it is the first.
func appendMember(dst []byte, name string, value []byte) ([]byte, error) {
	if len(dst) > 1 {
		dst = append(dst, ',')
	}
	dst, err := jsontext.AppendQuote(dst, name)
	return append(append(dst, ':'), value...), err
}

// SetMissing makes a set answer 404, or serve its rows again. Putting a row into a
// missing set makes it serve again.
func (s *Server) SetMissing(set string, missing bool) error {
	t, err := s.named(set)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missing = missing
	return nil
}

// Row returns one row as it is served; nil if there is none.
func (s *Server) Row(set string, id int64) []byte {
	t, err := s.named(set)
	if err != nil {
		return nil
	}
	r, _ := t.get(id)
	return r.data
}

// Rows returns a set's rows as they are served, in the order of their ids; none for a set
// that the service does not have. The rows must not be written to.
func (s *Server) Rows(set string) [][]byte {
	t, err := s.named(set)
	if err != nil {
		return nil
	}
	return t.all()
}

// Len returns the number of a set's rows.
func (s *Server) Len(set string) int {
	t, err := s.named(set)
	if err != nil {
		return 0
	}
	return t.len()
}
