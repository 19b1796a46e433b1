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
// goes on where an earlier one stopped, range by range.
func (s *session) scan(ctx context.Context, at checkpoint.Checkpoint) error {
	origin := schema.OriginScan
	if !s.loaded.Load() {
		origin = schema.OriginSnapshot
	}
	ranges, err := s.planScan(ctx, at)
	if err != nil {
		return err
	}
	whole := ctx
	group, ctx := errgroup.WithContext(whole)
	group.SetLimit(s.workers)
	for _, r := range ranges {
		if r.Done {
			continue
		}
		group.Go(func() error { return s.scanRange(ctx, r, origin) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return s.complete(whole)
}

// complete saves that a scan is over; a first load is with it.
func (s *session) complete(ctx context.Context) error {
	done := checkpoint.Progress{ScannedAt: time.Now()}
	if !s.loaded.Load() {
		done.LoadedAt = done.ScannedAt
	}
	if err := s.settled(ctx, done); err != nil {
		return err
	}
	if s.loaded.CompareAndSwap(false, true) {
		s.log.Info("first load is complete", "rows", s.status.rowsRead())
	}
	return nil
}

// planScan returns the ranges of the scan under way, or those of a new one.
func (s *session) planScan(ctx context.Context, at checkpoint.Checkpoint) ([]checkpoint.Range, error) {
	extent, err := s.source.Extent(ctx, s.entity, oda.Scan)
	if err != nil {
		return nil, err
	}
	s.status.expect(extent.Count)
	if len(at.Ranges) > 0 {
		return at.Ranges, nil
	}
	ranges := split(extent)
	return ranges, s.store.StartScan(ctx, s.lease.current(), ranges, checkpoint.Progress{})
}

// split cuts the ids of an entity into ranges, newest first. The newest has no
// upper end: a row that comes meanwhile is the tail's, and here as well.
func split(extent oda.Extent) []checkpoint.Range {
	n := min(max(extent.Count/rangeRows, 1), maxRanges, max(extent.MaxID, 1))
	step := extent.MaxID / n
	ranges := make([]checkpoint.Range, 0, n)
	for i := n - 1; i >= 0; i-- {
		r := checkpoint.Range{Low: i * step, High: (i + 1) * step}
		if i == 0 {
			r.Low = beforeAll
		}
		if i == n-1 {
			r.High = 0
		}
		r.Next = r.Low
		ranges = append(ranges, r)
	}
	return ranges
}

// scanRange reads one range page by page, up to an empty page or its last id.
func (s *session) scanRange(ctx context.Context, r checkpoint.Range, origin schema.Origin) error {
	for !r.Done {
		page, err := s.read(ctx, oda.Window{MinID: r.Next, MaxID: r.High}, oda.Scan, origin)
		if err != nil {
			return err
		}
		if page.more {
			r.Next = page.last
		}
		r.Done = !page.more || r.High != 0 && r.Next == r.High
		page.progress.Ranges = []checkpoint.Range{r}
		if err := s.submit(ctx, page); err != nil {
			return err
		}
		s.status.scanned(len(page.rows))
	}
	return nil
}
