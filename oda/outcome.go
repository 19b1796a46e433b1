package oda

import (
	"errors"
	"sync"
	"time"
)

// outcomes tells what one set has from what the whole source has. A fault of one set
// says nothing of the others: it neither opens the breaker nor pauses them. It is safe
// for concurrent use.
type outcomes struct {
	mu     sync.Mutex
	asked  map[string]bool // sets with an outcome
	failed string          // the set of the last fault since a success; "": none
	paused string          // the set that asked for a pause since a success; "": none
}

// succeed notes a good answer.
func (o *outcomes) succeed(set string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note(set)
	o.failed, o.paused = "", ""
}

// blames reports whether a fault counts against the whole source: no connection, or a
// fault of another set than the last one's, or of the only set that is asked.
func (o *outcomes) blames(f *Error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note(f.Set)
	other := o.failed != f.Set
	o.failed = f.Set
	return other || len(o.asked) == 1 || errors.Is(f.Kind, ErrUnreachable)
}

// pausesAll reports whether a pause that the source asked for concerns every set: a
// second set asked for one, without a good answer in between.
func (o *outcomes) pausesAll(set string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paused == "" {
		o.paused = set
	}
	return o.paused != set
}

func (o *outcomes) note(set string) {
	if o.asked == nil {
		o.asked = map[string]bool{}
	}
	o.asked[set] = true
}

// recordOutcome reports the outcome to the breaker and to the budget.
func (c *Client) recordOutcome(set string, f *Error) {
	switch {
	case f == nil:
		c.outcomes.succeed(set)
		c.budget.answered(set, true)
		c.breaker.RecordSuccess()
	case f.isTemporary():
		c.recordFault(f)
	case !isEnd(f.Kind):
		c.breaker.RecordSuccess() // it answers, if only no
	case !c.breaker.IsClosed():
		// A try that its caller cancelled says nothing about the source, but a breaker
		// that waits for its one trial needs a result.
		c.breaker.RecordFailure()
	}
}

func (c *Client) recordFault(f *Error) {
	last := *f // a copy: f is still being written to
	c.failed.Store(&last)
	if f.is(ErrTimeout) {
		c.budget.answered(f.Set, false)
	}
	if blamed := c.outcomes.blames(f); blamed || !c.breaker.IsClosed() {
		c.breaker.RecordFailure()
	}
	if f.RetryAfter <= 0 {
		return
	}
	until := time.Now().Add(min(f.RetryAfter, maxRetryAfter))
	c.budget.hold(f.Set, until)
	if c.outcomes.pausesAll(f.Set) {
		c.budget.holdAll(until)
	}
}
