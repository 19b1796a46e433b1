package capture

import (
	"sync"
	"time"
)

// pace watches how long the source takes to answer, and has everything ask less
// often while it takes longer than it is used to. The zero value is ready; it is
// safe for concurrent use.
type pace struct {
	mu         sync.Mutex
	fast, slow float64 // averages over about the last 8 and the last 256 answers, in seconds
}

// maxStretch is how much longer pauses grow at most.
const maxStretch = 10

// observe takes in how long an answer took.
func (p *pace) observe(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slow == 0 {
		p.fast, p.slow = d.Seconds(), d.Seconds()
	}
	p.fast += (d.Seconds() - p.fast) / 8
	p.slow += (d.Seconds() - p.slow) / 256
}

// stretch is the pause d, longer by as much as answers take longer than twice
// their usual time.
func (p *pace) stretch(d time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	const noise = 0.05 // seconds within which no source is slow
	by := p.fast / (2*p.slow + noise)
	return time.Duration(float64(d) * min(max(by, 1), maxStretch))
}
