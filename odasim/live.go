package odasim

import (
	"context"
	"log/slog"
	"time"
)

// Pace says how fast a live parliament works.
type Pace struct {
	// Every is the time between two events; 0 means a second.
	Every time.Duration
	// Late is how long after its stamp one row in twenty becomes visible; 0: none is
	// late.
	Late time.Duration
	// Log is called with each event; nil: nothing is called.
	Log *slog.Logger
}

// Live runs the parliament until ctx ends: cases move, votes happen, documents arrive,
// and sometimes a row changes without a new stamp, gets a stamp without a change, or
// vanishes. The stamps come from the parliament's own clock. Generate's seed decides what
// happens.
func (s *Server) Live(ctx context.Context, p Pace) {
	if p.Every <= 0 {
		p.Every = time.Second
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	tick := time.NewTicker(p.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.Log.InfoContext(ctx, "event in the parliament", "what", s.step(p.Late))
		}
	}
}

// Step makes one event happen, at the parliament's own time, and returns what it was.
func (s *Server) Step() string { return s.step(0) }

// step makes one event happen.
func (s *Server) step(late time.Duration) string {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.chronicle == nil {
		s.chronicle = newChronicle(s, 0)
	}
	c := s.chronicle
	c.now = s.Now()
	c.late = 0
	// Captured rows may lack what new rows refer to.
	c.addReferenceRows()
	c.electActors(0)
	c.late = late
	return c.runEvent(append(regularEvents(), oddEvents()...))
}
