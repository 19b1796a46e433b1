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

// skewSamples is the number of answers from which the source's time is estimated:
// few enough that the estimate is right again soon after our own clock was set.
const skewSamples = 16

// sourceClock estimates the source's time from the Date headers of its answers. The
// estimate is never too late, so that no watermark is too high. It is safe for
// concurrent use.
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

// at returns the source's time when our clock shows t. It is t until an answer had a
// Date header.
func (c *sourceClock) at(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.skews) == 0 {
		return t
	}
	return t.Add(slices.Min(c.skews))
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
