package capture

import (
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// share is which entities are this poller's: each entity goes to the running
// poller that a hash of both prefers, so that any number of pollers agree without
// a word, and one that comes or goes moves only its own part. It is safe for
// concurrent use.
type share struct {
	mu      sync.Mutex
	members []string // holders of all pollers that run; none: only this one is known
	changed chan struct{}
}

func newShare() *share { return &share{changed: make(chan struct{})} }

// mine tells whether entity is holder's, and when that may be otherwise.
func (s *share) mine(entity, holder string) (ok bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	best, bestWeight := holder, weight(holder, entity)
	for _, m := range s.members {
		if w := weight(m, entity); w > bestWeight {
			best, bestWeight = m, w
		}
	}
	return best == holder, s.changed
}

func weight(holder, entity string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(holder + "\x00" + entity)) // never fails
	// FNV's last bytes move its high bits little: mix them once more.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// set takes over who runs, and wakes those who wait for a change.
func (s *share) set(members []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(s.members, members) {
		return
	}
	s.members = members
	close(s.changed)
	s.changed = make(chan struct{})
}

// keepShare announces the poller and learns of the others until ctx ends.
func (p *Poller) keepShare(ctx context.Context) {
	for {
		members, err := p.store.Announce(ctx, p.holder, p.cfg.Lease)
		switch {
		case err == nil:
			p.share.set(members)
		case ctx.Err() == nil:
			p.log.Warn("other pollers are not known: keeping the share of before", "error", err)
		}
		if wait(ctx, p.cfg.Lease/3) != nil {
			break
		}
	}
	withdraw, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := p.store.Withdraw(withdraw, p.holder); err != nil {
		p.log.Warn("not withdrawn: the others wait until this poller's announcement runs out", "error", err)
	}
}

// whileMine ends the returned context once entity is another poller's.
func (p *Poller) whileMine(ctx context.Context, entity string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for {
			mine, changed := p.share.mine(entity, p.holder)
			if !mine {
				cancel()
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	}()
	return ctx, cancel
}
