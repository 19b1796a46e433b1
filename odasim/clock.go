package odasim

import (
	"sync"
	"time"
)

// clock is a clock that can be set. It runs at the pace of the clock that drives it.
type clock struct {
	drive func() time.Time

	mu     sync.Mutex
	offset time.Duration
}

// now returns the time that the clock shows.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drive().Add(c.offset)
}

// set sets the clock to t.
func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = t.Sub(c.drive())
}

// advance moves the clock by d.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// Now returns the parliament's time, which the Date header shows and live mode uses for
// stamps.
func (s *Server) Now() time.Time { return s.clock.now() }

// SetNow sets the parliament's clock to t. It runs on from there at the pace of
// Options.Now.
func (s *Server) SetNow(t time.Time) { s.clock.set(t) }

// Advance moves the parliament's clock by d, backwards if d is negative.
func (s *Server) Advance(d time.Duration) { s.clock.advance(d) }
