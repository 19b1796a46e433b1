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

// leaseKeeper keeps one lease alive and tells whether there is still time to
// publish under it. It is safe for concurrent use.
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

// run renews the lease three times within its length until ctx ends. It returns
// an error once the lease is lost, or ran out because the store cannot be reached.
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

// ensure returns once the lease has longer to run than a produce may take, deletes
// with their tombstones included (invariant 4).
func (k *leaseKeeper) ensure(ctx context.Context) error {
	if k.left() > 2*stream.DeliveryTimeout {
		return nil
	}
	if err := k.renew(ctx); err != nil {
		return err
	}
	if left := k.left(); left <= 2*stream.DeliveryTimeout {
		return fmt.Errorf("publish %s: lease has only %s to run: %w", k.current().Entity, left, checkpoint.ErrLeaseLost)
	}
	return nil
}

func (k *leaseKeeper) left() time.Duration { return time.Until(k.current().Until) }
