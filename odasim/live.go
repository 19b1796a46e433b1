package odasim

import (
	"context"
	"log/slog"
	"time"
)

// Pace says how a live parliament works.
type Pace struct {
	// Every is the time between two happenings; 0 means a second.
	Every time.Duration
	// Late is how long after its stamp one row in twenty is seen; 0: none is late.
	Late time.Duration
	// Log is told of each happening; nil: nobody is.
	Log *slog.Logger
}

// Live lets the parliament work until ctx ends: cases move, votes happen,
// documents arrive, and now and then a row changes without a stamp, gets a stamp
// without a change, or vanishes. The rows are stamped with the parliament's own
// clock. What happens is drawn from Generate's seed.
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
			p.Log.InfoContext(ctx, "parliament worked", "what", s.step(p.Late))
		}
	}
}

// Step lets one thing happen, at the parliament's own time, and says what.
func (s *Server) Step() string { return s.step(0) }

// step lets one thing happen.
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
	c.lay()
	c.electActors(0)
	c.late = late
	return c.happen(append(work(), surprises()...))
}
