package odasim

import (
	"fmt"
	"time"
)

// lateRow is a row that exists but is not yet visible.
type lateRow struct {
	set *set
	row row
	at  time.Time
}

// PutLate puts a row that becomes visible only when the parliament's clock reaches at,
// with the stamp in it. It plays a transaction that commits long after it took its stamp.
func (s *Server) PutLate(set string, data []byte, at time.Time) error {
	t, err := s.named(set)
	if err != nil {
		return err
	}
	r, err := s.options.encode(data)
	if err != nil {
		return fmt.Errorf("put row of %s: %w", set, err)
	}
	s.putLate(t, r, at)
	return nil
}

// putLate hides a row until at.
func (s *Server) putLate(t *set, r row, at time.Time) {
	s.lateMu.Lock()
	s.late = append(s.late, lateRow{set: t, row: r, at: at})
	s.lateMu.Unlock()
	s.showLate()
}

// showLate puts the late rows whose time has come, in the order of PutLate.
func (s *Server) showLate() {
	s.lateMu.Lock()
	defer s.lateMu.Unlock()
	if len(s.late) == 0 {
		return
	}
	now := s.Now()
	kept := s.late[:0]
	for _, l := range s.late {
		if now.Before(l.at) {
			kept = append(kept, l)
			continue
		}
		l.set.put(l.row)
	}
	s.late = kept
}
