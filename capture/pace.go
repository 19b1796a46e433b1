package capture

import (
	"sync"
	"time"
)

// pace measures how long the source takes to answer, and lengthens pauses while that
// is longer than usual. The zero value is ready to use. It is safe for concurrent
// use.
type pace struct {
	mu         sync.Mutex
	fast, slow float64 // averages over about the last 8 and the last 256 answers, in seconds
}

// maxSlowDown is the highest factor by which a pause is lengthened.
const maxSlowDown = 10

// observe adds the time that an answer took.
func (p *pace) observe(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slow == 0 {
		p.fast, p.slow = d.Seconds(), d.Seconds()
	}
	p.fast += (d.Seconds() - p.fast) / 8
	p.slow += (d.Seconds() - p.slow) / 256
}

// slowDown returns the pause d, lengthened by the factor by which answers take longer
// than twice their usual time.
func (p *pace) slowDown(d time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	const noise = 0.05 // seconds: no source counts as slow for less
	by := p.fast / (2*p.slow + noise)
	return time.Duration(float64(d) * min(max(by, 1), maxSlowDown))
}
