package capture

import (
	"sync"
	"time"
)

// ticks gives out the numbers that order an entity's changes and readings:
// microseconds since 1970 that grow even where the clock does not (invariant 3).
// It is safe for concurrent use.
type ticks struct {
	mu   sync.Mutex
	last int64
}

// next returns a number above all that were returned or raised to before.
func (t *ticks) next() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = max(t.last+1, time.Now().UnixMicro())
	return t.last
}

// raise makes next go on above seq, which was read from the topic or the store.
func (t *ticks) raise(seq int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = max(t.last, seq)
}
