package capture

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/oda"
)

// onceAtATime is how many entities `poller --once` works on at once, in load
// order.
const onceAtATime = 8

// Once makes the first load of each entity that has none, a tail pass, and the scans
// that are due. It returns when all of it is published and saved. Its error joins
// the errors of entities, each with the entity's name. It is no error if the source
// has never had an entity.
func (p *Poller) Once(ctx context.Context) error {
	if err := p.topics.Ensure(ctx, p.names()); err != nil {
		return err
	}
	p.contract.probe(ctx)
	failures := make([]error, len(p.entities))
	var group errgroup.Group
	group.SetLimit(onceAtATime)
	for i, e := range p.entities {
		group.Go(func() error {
			failures[i] = p.onceEntity(ctx, e)
			return nil
		})
	}
	return errors.Join(group.Wait(), errors.Join(failures...))
}

// onceEntity is Once for one entity. If another poller holds its lease, onceEntity
// waits for up to two lease times.
func (p *Poller) onceEntity(ctx context.Context, e *entityStatus) error {
	deadline := time.Now().Add(2 * p.cfg.Lease)
	for {
		err := p.work(ctx, e, once)
		var held *checkpoint.LeaseHeldError
		switch {
		case err == nil && ctx.Err() == nil:
			e.enter(StateDone, nil)
			return nil
		case err == nil:
			return fmt.Errorf("%s: stopped before it was done: %w", e.Entity, context.Cause(ctx))
		case errors.As(err, &held) && time.Now().Before(deadline):
			p.report(ctx, e, err, held.For)
			if err := wait(ctx, min(held.For+time.Millisecond, p.cfg.Lease)); err != nil {
				return fmt.Errorf("%s: %w", e.Entity, err)
			}
		case errors.Is(err, oda.ErrNotFound) && p.neverHad(ctx, e.Entity):
			p.report(ctx, e, err, 0)
			return nil
		default:
			e.enter(StateFailed, err)
			return fmt.Errorf("%s: %w", e.Entity, err)
		}
	}
}
