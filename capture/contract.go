package capture

import (
	"context"
	"sync"
	"time"

	"odastream/oda"
)

const (
	probeEvery = 24 * time.Hour
	// probeAgain is how soon after a probe that found trouble, or found nobody, the
	// next one follows: an entity may be waiting for it.
	probeAgain = 5 * time.Minute
)

// prober asks the source whether it keeps to what the copy rests on; *oda.Client
// is one.
type prober interface {
	Probe(ctx context.Context, sets []string) (oda.Report, error)
}

// contract is what the last probe found. The zero value knows nothing and has
// nothing against any entity. It is safe for concurrent use.
type contract struct {
	mu     sync.Mutex
	report *oda.Report
}

// honoured gives nil unless the last probe saw the source ignore filters on
// entity: then what it would read is not what it asks for, and it waits (invariant 7).
func (c *contract) honoured(entity string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.report == nil {
		return nil
	}
	return c.report.Honoured(entity)
}

func (c *contract) findings() []oda.Finding {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.report == nil {
		return nil
	}
	return c.report.Findings
}

// keepProbing probes the source daily until ctx ends.
func (p *Poller) keepProbing(ctx context.Context) {
	for {
		again := probeEvery
		if !p.probe(ctx) {
			again = probeAgain
		}
		if wait(ctx, again) != nil {
			return
		}
	}
}

// probe asks once and is false where it found trouble or nobody. What is new at
// the source is data, and reported; what breaks the contract is logged with what
// to do.
func (p *Poller) probe(ctx context.Context) (ok bool) {
	if p.prober == nil {
		return true
	}
	report, err := p.prober.Probe(ctx, p.names())
	if err != nil {
		if ctx.Err() == nil {
			p.log.Warn("source could not be probed", "again_in", probeAgain, "error", err)
		}
		return false
	}
	p.contract.mu.Lock()
	p.contract.report = &report
	p.contract.mu.Unlock()
	for _, f := range report.Findings {
		switch f.Verdict {
		case oda.VerdictTrouble:
			p.log.Error("source breaks the contract", "what", f.Name, "seen", f.Seen, "means", f.Means, "do", f.Remedy)
		case oda.VerdictNote:
			p.log.Info("source is not quite as known", "what", f.Name, "seen", f.Seen, "means", f.Means)
		case oda.VerdictOK:
		}
	}
	return !report.Trouble()
}
