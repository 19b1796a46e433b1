package verify

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"odastream/oda"
	"odastream/schema"
)

// mostCandidates limits the rows of an entity that are read again, since each costs a
// request. A copy with more differences is simply wrong.
const mostCandidates = 2000

// check is the verification of one entity.
type check struct {
	*run
	out *Entity

	mu         sync.Mutex // guards the fields below, and counters of out
	candidates map[int64]candidate
}

// verify fills in the report of the entity.
func (c *check) verify(ctx context.Context) error {
	if err := c.readFacts(ctx); err != nil {
		return err
	}
	err := c.compare(ctx)
	if fault, ok := errors.AsType[*oda.Error](err); ok && ctx.Err() == nil {
		c.sourceFault(fault)
		return nil
	}
	if err == nil && c.out.LoadedAt != nil {
		err = c.compareTopic(ctx)
	}
	if err == nil && c.out.LoadedAt == nil {
		c.out.Trouble = "its first load is not complete: wait for the poller (odastream status shows how far it is)"
	}
	return err
}

// sourceFault records what the source's error means. A set that the source has never
// had is absent.
func (c *check) sourceFault(fault *oda.Error) {
	never := c.out.LoadedAt == nil && c.out.Ledger == 0 && c.out.Cache == 0
	switch {
	case errors.Is(fault, oda.ErrNotFound) && never:
		c.out.Absent = true
	case errors.Is(fault, oda.ErrNotFound):
		c.out.Trouble = "the source answers 404, and had it once: nothing is deleted for that; odastream doctor looks closer"
	default:
		c.out.Trouble = fault.Error()
	}
}

// readFacts reads the entity's facts from our own tables.
func (c *check) readFacts(ctx context.Context) error {
	at, err := c.ledger.Load(ctx, c.out.Name)
	if err != nil {
		return err
	}
	c.out.Watermark, c.out.LoadedAt = optional(at.Watermark), optional(at.LoadedAt)
	c.out.ConsistentThrough = optional(at.ConsistentThrough)
	return c.countTables(ctx)
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// compare compares with the source. For an entity whose first load is running, only the
// count is read.
func (c *check) compare(ctx context.Context) error {
	extent, err := c.source.Extent(ctx, c.out.Name, oda.Scan)
	if err == nil && extent.MaxID == 0 && extent.Count <= 0 { // believed only if a second answer is empty too
		extent, err = c.source.Extent(ctx, c.out.Name, oda.Scan)
	}
	if err != nil {
		return err
	}
	c.out.Source = extent.Count
	if c.out.LoadedAt == nil {
		return nil
	}
	ranges, err := c.ranges(ctx, extent.MaxID)
	if err != nil {
		return err
	}
	c.out.Whole = c.options.Full || max(extent.Count, c.out.Ledger) <= int64(c.options.Sample)*schema.PageSize
	if err := c.readRanges(ctx, ranges); err != nil {
		return err
	}
	if !c.out.Whole {
		if err := c.sample(ctx); err != nil {
			return err
		}
		if err := c.compareTables(ctx, ranges); err != nil {
			return err
		}
	}
	return c.recheck(ctx)
}

// readRanges counts or reads all ranges, several at once.
func (c *check) readRanges(ctx context.Context, ranges []schema.IDRange) error {
	var total int64
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range ranges {
		group.Go(func() error {
			select {
			case c.slots <- struct{}{}:
				defer func() { <-c.slots }()
			case <-ctx.Done():
				return ctx.Err()
			}
			n, err := c.checkRange(ctx, r)
			c.mu.Lock()
			defer c.mu.Unlock()
			total += n
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	c.out.Source = total
	return nil
}

// checkRange compares one range, and returns how many rows the source has in it. If
// only counts are compared, it reads the range when they differ.
func (c *check) checkRange(ctx context.Context, r schema.IDRange) (int64, error) {
	if c.out.Whole {
		return c.readRange(ctx, r)
	}
	count, err := c.source.Count(ctx, c.out.Name, oda.Window{IDs: r}, oda.Scan)
	if err != nil {
		return 0, err
	}
	known, err := c.ledger.CountRows(ctx, c.out.Name, r)
	if err != nil || known == count {
		return count, err
	}
	return c.readRange(ctx, r)
}
