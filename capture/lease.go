package capture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"odastream/checkpoint"
	"odastream/stream"
)

// leases is the part of the store that has the leases.
type leases interface {
	Acquire(ctx context.Context, entity, holder string, ttl time.Duration) (checkpoint.Lease, error)
	Renew(ctx context.Context, lease checkpoint.Lease, ttl time.Duration) (checkpoint.Lease, error)
	Release(ctx context.Context, lease checkpoint.Lease) error
}

// leaseKeeper renews one lease, and checks before each publish that it lasts long
// enough. It is safe for concurrent use.
type leaseKeeper struct {
	leases leases
	ttl    time.Duration

	mu    sync.Mutex
	lease checkpoint.Lease
}

func (k *leaseKeeper) current() checkpoint.Lease {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lease
}

// run renews the lease six times within its length until ctx ends. It returns an
// error if the lease is lost, or has expired because the store cannot be reached.
func (k *leaseKeeper) run(ctx context.Context) error {
	tick := time.NewTicker(k.ttl / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := k.renew(ctx)
		if errors.Is(err, checkpoint.ErrLeaseLost) || err != nil && time.Now().After(k.current().Until) {
			return err
		}
	}
}

func (k *leaseKeeper) renew(ctx context.Context) error {
	renewed, err := k.leases.Renew(ctx, k.current(), k.ttl)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lease = renewed
	return nil
}

// ensure renews the lease if a delivery, with the tombstones of deletes, may outlive
// it. It returns an error if it still may after that.
func (k *leaseKeeper) ensure(ctx context.Context) error {
	// Invariant 4: nothing is published after the lease may have expired.
	if k.left() > 2*stream.DeliveryTimeout {
		return nil
	}
	if err := k.renewUntilExpired(ctx); err != nil {
		return err
	}
	if left := k.left(); left <= 2*stream.DeliveryTimeout {
		return fmt.Errorf("publish %s: lease expires in %s, before a delivery may end: %w", k.current().Entity, left, checkpoint.ErrLeaseLost)
	}
	return nil
}

// renewUntilExpired tries to renew the lease for as long as it may be valid: a save of
// this poller's own may have locked its row.
func (k *leaseKeeper) renewUntilExpired(ctx context.Context) error {
	for {
		err := k.renew(ctx)
		if err == nil || errors.Is(err, checkpoint.ErrLeaseLost) || k.left() <= 0 {
			return err
		}
		if wait(ctx, renewPause) != nil {
			return err
		}
	}
}

// renewPause is the time between two tries to renew a lease before a publish.
const renewPause = 100 * time.Millisecond

func (k *leaseKeeper) left() time.Duration { return time.Until(k.current().Until) }
