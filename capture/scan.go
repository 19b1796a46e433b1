package capture

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

const (
	rangeRows = 5000 // rows that a range of a scan should hold, were ids dense
	maxRanges = 64   // each range costs one request to see its end
)

// scan reads an entity whole by ranges of ids, several at once, newest first. It
// goes on where an earlier one stopped, range by range. What it finds is
// published; a *HeldBackError says that not all that vanished is.
func (s *session) scan(ctx context.Context, at checkpoint.Checkpoint) error {
	origin := schema.OriginScan
	if !s.loaded.Load() {
		origin = schema.OriginSnapshot
	}
	// What a former holder published late is found before a row counts as known.
	if err := s.submit(ctx, reading{refold: true}); err != nil {
		return err
	}
	began, ranges, err := s.planScan(ctx, at)
	if err != nil {
		return err
	}
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(s.workers)
	for i := range ranges {
		if !ranges[i].Done {
			group.Go(func() error { return s.scanRange(reading, &ranges[i], origin) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	// Everything found so far is saved before what is missing is looked for.
	if err := s.settled(ctx, checkpoint.Progress{}); err != nil {
		return err
	}
	if err := s.repair(ctx); err != nil {
		return err
	}
	held, settled, err := s.lookAgain(ctx, ranges)
	if err != nil {
		return err
	}
	s.metrics.heldBack(s.entity, held)
	if err := s.complete(ctx, began, settled); err != nil {
		return err
	}
	if held != nil {
		return held
	}
	return nil
}

// complete saves that a scan is over; a first load is with it. What the source was
// when the scan began is published by now, if all that vanished is settled.
func (s *session) complete(ctx context.Context, began time.Time, settled bool) error {
	done := checkpoint.Progress{ScannedAt: time.Now()}
	if settled {
		done.ConsistentThrough = began
	}
	if !s.loaded.Load() {
		done.LoadedAt = done.ScannedAt
	}
	if err := s.settled(ctx, done); err != nil {
		return err
	}
	s.status.consistent(done.ConsistentThrough)
	if s.loaded.CompareAndSwap(false, true) {
		s.log.Info("first load is complete", "rows", s.status.rowsRead())
	}
	return nil
}

// planScan returns the ranges of the scan under way, or those of a new one, and
// what the source's clock showed when it began. The seq of its beginning is no time
// to go by: a topic written to by a fast clock has it run ahead.
func (s *session) planScan(ctx context.Context, at checkpoint.Checkpoint) (began time.Time, ranges []checkpoint.ScanRange, err error) {
	began = s.clock.at(time.Now())
	extent, err := s.source.Extent(ctx, s.entity, oda.Scan)
	if err != nil {
		return began, nil, err
	}
	s.status.expect(extent.Count)
	if len(at.Ranges) > 0 {
		return at.ScanBegan, at.Ranges, nil
	}
	ranges = split(extent)
	return began, ranges, s.store.StartScan(ctx, s.lease.current(), s.ticks.next(), began, ranges)
}

// split cuts the ids of an entity into ranges, newest first. The newest has no
// upper end: a row that comes meanwhile is the tail's, and here as well.
func split(extent oda.Extent) []checkpoint.ScanRange {
	n := max(1, min(extent.Count/rangeRows, maxRanges, extent.MaxID))
	step := extent.MaxID / n
	ranges := make([]checkpoint.ScanRange, 0, n)
	for i := n - 1; i >= 0; i-- {
		r := checkpoint.ScanRange{IDRange: schema.IDRange{Low: i * step, High: (i + 1) * step}}
		if i == 0 {
			r.Low = schema.BeforeFirst
		}
		if i == n-1 {
			r.High = schema.NoEnd
		}
		r.Next = r.Low
		ranges = append(ranges, r)
	}
	return ranges
}

// scanRange reads one range page by page, up to an empty page or its last id.
func (s *session) scanRange(ctx context.Context, r *checkpoint.ScanRange, origin schema.Origin) error {
	for !r.Done {
		asked := oda.Window{IDs: schema.IDRange{Low: r.Next, High: r.High}}
		page, err := s.read(ctx, asked, oda.Scan, origin)
		if err != nil {
			return err
		}
		page.window = page.accountsFor(asked)
		if page.more {
			r.Next = page.last
		}
		r.Read += int64(len(page.rows))
		r.Done = !page.more || r.Next == r.High
		page.progress.Ranges = []checkpoint.ScanRange{*r}
		if err := s.submit(ctx, page); err != nil {
			return err
		}
		s.status.scanned(len(page.rows))
	}
	return nil
}
