package capture

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"odastream/oda"
	"odastream/schema"
)

const (
	// skewSamples is the number of answers from which the source's time is estimated.
	skewSamples = 16
	// clocksAgree is how far apart two clocks may be that agree: Date is in whole seconds,
	// and older than its answer's arrival.
	clocksAgree = 5 * time.Second
)

// sourceClock bounds the source's time by the Date headers of its answers and by our own
// clock. Which of the two is right nobody can tell: our clock may have been set, the
// source's too, and a proxy may write a Date of its own. So watermarks follow the earlier
// one, and passes read up to the later one. It is safe for concurrent use.
type sourceClock struct {
	mu    sync.Mutex
	skews []time.Duration // Date less our clock at the answer's end, newest last
	asked bool
}

// observe adds an answer. Its Date is in whole seconds and older than its arrival,
// so the measured difference is never above the true one.
func (c *sourceClock) observe(p oda.Page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = true
	if p.Date.IsZero() {
		return
	}
	if len(c.skews) == skewSamples {
		c.skews = slices.Delete(c.skews, 0, 1)
	}
	c.skews = append(c.skews, p.Date.Sub(p.Received))
}

// at returns the earliest time that it may be at the source when our clock shows t: t, or
// less by the lowest Date of the last answers.
func (c *sourceClock) at(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.Add(slices.Min(append([]time.Duration{0}, c.skews...)))
}

// latest returns the latest time that it may be: t, or more by the highest Date.
func (c *sourceClock) latest(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.Add(slices.Max(append([]time.Duration{0}, c.skews...)))
}

// set asks the source for an empty page, above all ids, unless there was an answer
// already.
func (c *sourceClock) set(ctx context.Context, src source, set string) error {
	c.mu.Lock()
	asked := c.asked
	c.mu.Unlock()
	if asked {
		return nil
	}
	page, err := src.Page(ctx, set, oda.Window{IDs: schema.IDsAbove(math.MaxInt32 - 1)}, oda.Tail)
	if err == nil {
		c.observe(page)
	}
	return err
}

// Whose clock it is that watermarks follow.
const (
	clockOwn    = "own"
	clockSource = "source"
)

// ClockStatus says which clock watermarks follow, and why.
type ClockStatus struct {
	Followed string    `json:"followed"`         // "own" or "source"
	Why      string    `json:"why"`              // in words
	Own      time.Time `json:"own"`              // our clock
	Source   time.Time `json:"source,omitzero"`  // the source's by its newest Date; zero if no answer had one
	Skew     float64   `json:"skew_seconds"`     // the source's clock less ours, by that Date
	Agreeing int       `json:"agreeing_answers"` // the newest answers in a row whose Date fits Skew within 5 s
	Answers  int       `json:"answers"`          // the last answers with a Date, 16 at most
}

// status returns which clock watermarks follow when our clock shows now.
func (c *sourceClock) status(now time.Time) ClockStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := ClockStatus{Followed: clockOwn, Own: now.UTC(), Answers: len(c.skews)}
	if s.Answers == 0 {
		s.Why = "no answer of the source had a Date"
		return s
	}
	newest := c.skews[s.Answers-1]
	s.Source, s.Skew = now.Add(newest).UTC(), newest.Seconds()
	for _, skew := range slices.Backward(c.skews) {
		if (skew - newest).Abs() > clocksAgree {
			break
		}
		s.Agreeing++
	}
	lowest, highest := slices.Min(c.skews), slices.Max(c.skews)
	if lowest < -clocksAgree || lowest < 0 && highest <= clocksAgree {
		s.Followed = clockSource
	}
	s.Why = why(lowest, highest)
	return s
}

// why says why the clock is followed that is, by the lowest and the highest difference of
// the last answers.
func why(lowest, highest time.Duration) string {
	const rule = ": watermarks follow the earlier clock, and passes read up to the later one, so rows stamped by either are found"
	switch {
	case highest-lowest > clocksAgree:
		return "the source's last answers have different times" + rule
	case highest > clocksAgree:
		return "the source's clock is ahead of ours" + rule
	case lowest < -clocksAgree:
		return "the source's clock is behind ours" + rule
	}
	return "the source's clock and ours agree"
}
