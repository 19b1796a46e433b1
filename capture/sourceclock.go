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

// skewSamples is how many of the last answers the source's clock is judged by:
// few enough that it is right again soon after our own clock was set.
const skewSamples = 16

// sourceClock tells the source's time from the Date headers of its answers. It
// errs to the early side: a watermark may be too low, never too high. It is safe
// for concurrent use.
type sourceClock struct {
	mu    sync.Mutex
	skews []time.Duration // Date less our clock at the answer's end, newest last
	asked bool
}

// observe takes in an answer. Date is cut to whole seconds and older than the
// moment of its arrival, so the difference is never above the true one.
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

// at is the source's time when our clock shows t: with no Date header our own.
func (c *sourceClock) at(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.skews) == 0 {
		return t
	}
	return t.Add(slices.Min(c.skews))
}

// set asks the source once, for a page beyond all ids, where no answer was seen
// yet.
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
