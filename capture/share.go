package capture

import (
	"context"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"time"

	"odastream/internal/outage"
)

// members is the part of the store that has the running pollers.
type members interface {
	Announce(ctx context.Context, holder string, ttl time.Duration) ([]string, error)
	Withdraw(ctx context.Context, holder string) error
}

// share is the part of the entities that this poller works on. Rendezvous hashing
// gives each entity to one of the running pollers: all pollers agree without
// talking to each other, and one that starts or stops moves only its own part.
// Leases, not shares, make sure that an entity has one writer. A share is safe for
// concurrent use.
type share struct {
	holder  string // this poller
	members members
	ttl     time.Duration // of an announcement
	log     *slog.Logger

	mu      sync.Mutex
	holders []string // all running pollers; none: only this one is known
	changed chan struct{}
	failed  outage.Outage // why this poller is not announced
}

func newShare(holder string, members members, ttl time.Duration, log *slog.Logger) *share {
	return &share{holder: holder, members: members, ttl: ttl, log: log, changed: make(chan struct{})}
}

// mine reports whether entity is this poller's. changed is closed when that may be
// different.
func (s *share) mine(entity string) (ok bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	best, bestWeight := s.holder, weight(s.holder, entity)
	for _, h := range s.holders {
		if w := weight(h, entity); w > bestWeight {
			best, bestWeight = h, w
		}
	}
	return best == s.holder, s.changed
}

// weight is the hash by which pollers are compared for an entity.
func weight(holder, entity string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(holder + "\x00" + entity)) // never fails
	// The last bytes hardly change FNV's high bits: mix them once more.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// set sets the running pollers, and wakes those that wait for a change.
func (s *share) set(holders []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(s.holders, holders) {
		return
	}
	s.holders = holders
	close(s.changed)
	s.changed = make(chan struct{})
}

// keep announces this poller and reads which others are running, until ctx ends.
func (s *share) keep(ctx context.Context) {
	for {
		holders, err := s.members.Announce(ctx, s.holder, s.ttl)
		switch {
		case err == nil:
			s.set(holders)
			s.note(nil)
		case ctx.Err() == nil:
			s.note(err)
			s.log.Warn("other pollers are unknown: keeping this poller's share as it was", "err", err)
		}
		if wait(ctx, s.ttl/3) != nil {
			break
		}
	}
	withdraw, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.members.Withdraw(withdraw, s.holder); err != nil {
		s.log.Warn("poller is not withdrawn: the others wait until its announcement expires", "err", err)
	}
}

func (s *share) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed.Note(err)
}

// trouble returns why this poller is not announced to the others, and since when; no
// error if it is.
func (s *share) trouble() outage.Outage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// whileMine returns a context that ends when entity is another poller's.
func (s *share) whileMine(ctx context.Context, entity string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for {
			mine, changed := s.mine(entity)
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
