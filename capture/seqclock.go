package capture

import (
	"sync"
	"time"
)

// seqClock is a hybrid logical clock. It gives out the seq of an entity's changes,
// and the times at which its requests began and ended: microseconds since 1970
// that always grow, even if the machine's clock does not. It is safe for
// concurrent use.
type seqClock struct {
	mu   sync.Mutex
	last int64
}

// next returns a number above all those returned or passed to raise before.
func (c *seqClock) next() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Invariant 3: seq grows.
	c.last = max(c.last+1, time.Now().UnixMicro())
	return c.last
}

// raise makes next return numbers above seq, which was read from the topic or the
// store.
func (c *seqClock) raise(seq int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, seq)
}
