package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"odastream/odasim"
)

// firstParliamentPort is tried first, so that the address is the same at each
// start and with cmd/odasim.
const firstParliamentPort = "8380"

// Parliament is a simulated parliament on 127.0.0.1 that keeps its state in a journal.
type Parliament struct {
	sim     *odasim.Server
	journal *journal
	clock   *clock
	http    *http.Server
	addr    string
	events  int
}

// StartParliament opens the parliament of the journal at path, and serves it. If there is
// no journal, it makes a new parliament from fresh. No event happens until Run.
func StartParliament(ctx context.Context, path string, fresh Origin) (*Parliament, error) {
	j, events, err := openJournal(path, fresh)
	if err != nil {
		return nil, err
	}
	p := &Parliament{journal: j, clock: &clock{}, events: len(events)}
	p.sim = odasim.New(odasim.Options{Now: p.clock.now})
	p.sim.Generate(j.origin.Seed, j.origin.Scale)
	for _, at := range events {
		p.step(at)
	}
	if err := p.serve(ctx); err != nil {
		_ = j.close()
		return nil, err
	}
	return p, nil
}

// URL returns the parliament's address, for ODA_URL.
func (p *Parliament) URL() string { return "http://" + p.addr + odasim.Root }

// Origin returns the input from which the parliament was generated.
func (p *Parliament) Origin() Origin { return p.journal.origin }

// Events returns the number of events before this start.
func (p *Parliament) Events() int { return p.events }

// Run makes an event happen at each interval until ctx ends. The error is the journal's:
// an event that cannot be written there does not happen.
func (p *Parliament) Run(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		at := time.Now()
		if err := p.journal.add(at); err != nil {
			return err
		}
		p.step(at)
	}
}

// Close stops serving and cuts off running answers.
func (p *Parliament) Close() error {
	return errors.Join(p.http.Close(), p.journal.close())
}

// step makes an event happen at a moment. Its kind depends on the seed and on the number
// of earlier events, the rest on the moment alone.
func (p *Parliament) step(at time.Time) {
	p.clock.frozen.Store(at.UnixNano())
	defer p.clock.frozen.Store(0)
	p.sim.Step()
}

func (p *Parliament) serve(ctx context.Context) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", firstParliamentPort))
	if errors.Is(err, syscall.EADDRINUSE) {
		ln, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return fmt.Errorf("serve the simulated parliament: %w", err)
	}
	p.addr = ln.Addr().String()
	p.http = &http.Server{Handler: p.sim, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.http.Serve(ln) }() // it ends with Close
	return nil
}

// clock is the real one, except while an event happens.
type clock struct{ frozen atomic.Int64 } // nanoseconds since 1970; 0: not frozen

func (c *clock) now() time.Time {
	if ns := c.frozen.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Now()
}
