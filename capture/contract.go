package capture

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"odastream/oda"
)

const (
	probeEvery = 24 * time.Hour
	// probeAgain is the time to the next probe after one that failed or found trouble:
	// an entity may be waiting for it.
	probeAgain = 5 * time.Minute
)

// prober checks that the source keeps the contract that the copy depends on;
// *oda.Client is one.
type prober interface {
	Probe(ctx context.Context, sets []string) (oda.Report, error)
}

// contract probes the source and keeps the last report. It is safe for concurrent
// use.
type contract struct {
	prober   prober // nil: the source is never probed
	entities []string
	log      *slog.Logger

	mu     sync.Mutex
	report *oda.Report // nil before the first probe
}

// honoured returns an error if the source ignored filters on entity at the last
// probe. Such an entity waits.
func (c *contract) honoured(entity string) error {
	// Invariant 7: pages of such an entity are not what was asked for.
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.report == nil {
		return nil
	}
	return c.report.Honoured(entity)
}

// findings returns what the last probe found.
func (c *contract) findings() []oda.Finding {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.report == nil {
		return nil
	}
	return c.report.Findings
}

// keepProbing probes the source each day until ctx ends.
func (c *contract) keepProbing(ctx context.Context) {
	for {
		again := probeEvery
		if !c.probe(ctx) {
			again = probeAgain
		}
		if wait(ctx, again) != nil {
			return
		}
	}
}

// probe probes the source once. It returns false if that failed or found trouble.
// What is new at the source is logged as a note. What breaks the contract is logged
// with what to do about it.
func (c *contract) probe(ctx context.Context) (ok bool) {
	if c.prober == nil {
		return true
	}
	report, err := c.prober.Probe(ctx, c.entities)
	if err != nil {
		if ctx.Err() == nil {
			c.log.Warn("source could not be probed", "again_in", probeAgain, "err", err)
		}
		return false
	}
	c.mu.Lock()
	c.report = &report
	c.mu.Unlock()
	for _, f := range report.Findings {
		switch f.Verdict {
		case oda.VerdictTrouble:
			c.log.Error("source breaks the contract", "what", f.Name, "seen", f.Seen, "means", f.Means, "do", f.Remedy)
		case oda.VerdictNote:
			c.log.Info("source differs from what is known of it", "what", f.Name, "seen", f.Seen, "means", f.Means)
		case oda.VerdictOK:
		}
	}
	return !report.Trouble()
}
