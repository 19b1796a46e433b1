package odasim

import (
	"sync"
	"time"
)

// clock is a clock that can be set: it shows another time than the one it is
// driven by, and runs on from there.
type clock struct {
	drive func() time.Time

	mu     sync.Mutex
	offset time.Duration
}

// now gives the time that the clock shows.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drive().Add(c.offset)
}

// set makes the clock show t from now on.
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

// Now gives the parliament's time: what the Date header says and what live mode
// stamps rows with.
func (s *Server) Now() time.Time { return s.clock.now() }

// SetNow makes the parliament's clock show t; it runs on from there at the pace
// of Options.Now.
func (s *Server) SetNow(t time.Time) { s.clock.set(t) }

// Advance moves the parliament's clock by d, backwards if d is negative.
func (s *Server) Advance(d time.Duration) { s.clock.advance(d) }
