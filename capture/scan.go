package capture

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

const (
	rangeRows = 5000 // rows of a range of a scan, if ids are dense
	maxRanges = 64   // each range costs one request to find its end
	// askAgain is how often the store is read to see whether a scan is due.
	askAgain = 30 * time.Second
)

// scanStore is the part of the store that a scan is kept in.
type scanStore interface {
	Load(ctx context.Context, entity string) (checkpoint.Checkpoint, error)
	StartScan(ctx context.Context, lease checkpoint.Lease, id int64, began time.Time, ranges []checkpoint.ScanRange) error
}

// scanner reads an entity whole: for the first load, and whenever a scan is due.
type scanner struct {
	entity    string
	cfg       Config
	workers   int // ranges read at once
	store     scanStore
	lease     *leaseKeeper
	seq       *seqClock
	clock     *sourceClock
	reader    *reader
	writer    *writer
	repairer  *repairer
	rechecker *rechecker
	loaded    *atomic.Bool
	status    *entityStatus
	metrics   *metrics
	log       *slog.Logger
}

// run makes the first load, and then a scan each ScanEvery or when a person asks
// for one, until ctx ends.
func (s *scanner) run(ctx context.Context, at checkpoint.Checkpoint) error {
	for {
		var reason error
		if s.due(at) {
			heldBack, err := s.scanNow(ctx, at)
			if err != nil {
				return err
			}
			if heldBack != nil {
				s.log.Error("deletes are held back", "rows", heldBack.Rows, "err", heldBack)
				reason = heldBack
			}
		}
		s.status.enter(StateFollowing, reason)
		var err error
		if at, err = s.waitDue(ctx); err != nil {
			return err
		}
	}
}

// once makes the scan of `poller --once`, if one is due. If it completes the scan of
// an earlier process whose first rows are older than ScanEvery, it makes another.
func (s *scanner) once(ctx context.Context, at checkpoint.Checkpoint) (heldBack *HeldBackError, err error) {
	for s.due(at) {
		if heldBack, err = s.scanNow(ctx, at); err != nil {
			return nil, err
		}
		if len(at.Ranges) == 0 || !s.cfg.scanDue(s.clock.at(time.Now()).Sub(at.ScanBegan)) {
			break
		}
		at.Ranges = nil
	}
	return heldBack, nil
}

// waitDue waits until a scan is due, and returns the checkpoint that says so.
func (s *scanner) waitDue(ctx context.Context) (checkpoint.Checkpoint, error) {
	for {
		if err := wait(ctx, askAgain); err != nil {
			return checkpoint.Checkpoint{}, err
		}
		at, err := s.store.Load(ctx, s.entity)
		if err != nil || s.due(at) {
			return at, err
		}
	}
}

// due reports whether a scan is due: the entity was never read whole, a scan was
// interrupted, a person asked for one, or the last one is ScanEvery ago.
func (s *scanner) due(at checkpoint.Checkpoint) bool {
	if at.LoadedAt.IsZero() || at.ScannedAt.IsZero() || at.ScanRequested || len(at.Ranges) > 0 {
		return true
	}
	return s.cfg.scanDue(time.Since(at.ScannedAt))
}

// scanNow scans. It returns deletes that are held back apart from other errors.
func (s *scanner) scanNow(ctx context.Context, at checkpoint.Checkpoint) (heldBack *HeldBackError, err error) {
	state := StateLoading
	if s.loaded.Load() {
		state = StateScanning
	}
	s.status.enter(state, nil)
	err = s.scan(ctx, at)
	if errors.As(err, &heldBack) {
		return heldBack, nil
	}
	return nil, err
}

// scan reads an entity whole by ranges of ids, several at once, the newest first. It
// goes on with a scan that was interrupted. What it finds is published. It returns
// a *HeldBackError if deletes are held back.
func (s *scanner) scan(ctx context.Context, at checkpoint.Checkpoint) error {
	// A row counts as unchanged only if no late record of another poller hides it.
	if err := s.writer.submit(ctx, refold{}); err != nil {
		return err
	}
	began, ranges, err := s.plan(ctx, at)
	if err != nil {
		return err
	}
	if err := s.readRanges(ctx, ranges); err != nil {
		return err
	}
	// What was found is saved before vanished rows are rechecked.
	if err := s.writer.flush(ctx, checkpoint.Progress{}); err != nil {
		return err
	}
	if err := s.repairer.repair(ctx); err != nil {
		return err
	}
	heldBack, resolved, err := s.rechecker.recheck(ctx, ranges)
	if err != nil {
		return err
	}
	s.metrics.heldBack(s.entity, heldBack)
	if err := s.complete(ctx, began, resolved); err != nil {
		return err
	}
	if heldBack != nil {
		return heldBack
	}
	return nil
}

// plan returns the ranges of the running scan, or those of a new one, and when it
// began by the source's clock. That is not taken from the scan's seq, which may be
// ahead of all clocks.
func (s *scanner) plan(ctx context.Context, at checkpoint.Checkpoint) (began time.Time, ranges []checkpoint.ScanRange, err error) {
	began = s.clock.at(time.Now())
	extent, err := s.reader.source.Extent(ctx, s.entity, oda.Scan)
	if err != nil {
		return began, nil, err
	}
	s.status.expect(extent.Count)
	if len(at.Ranges) > 0 {
		return at.ScanBegan, at.Ranges, nil
	}
	ranges = split(extent)
	return began, ranges, s.store.StartScan(ctx, s.lease.current(), s.seq.next(), began, ranges)
}

// split divides the ids of an entity into ranges, the newest first. That one has no
// upper end: it includes rows that are created meanwhile. Where the highest id is
// not known there is one range.
func split(extent oda.Extent) []checkpoint.ScanRange {
	n := max(1, min(extent.Count/rangeRows, maxRanges, extent.MaxID))
	if extent.MaxID == schema.NoEnd {
		n = 1
	}
	step := extent.MaxID / n
	ranges := make([]checkpoint.ScanRange, 0, n)
	for i := n - 1; i >= 0; i-- {
		r := checkpoint.ScanRange{IDRange: schema.IDRange{Low: i * step, High: (i + 1) * step}}
		if i == 0 {
			r.Low = schema.NoStart
		}
		if i == n-1 {
			r.High = schema.NoEnd
		}
		r.Next = r.Low
		ranges = append(ranges, r)
	}
	return ranges
}

// readRanges reads the ranges that are not done, several at once.
func (s *scanner) readRanges(ctx context.Context, ranges []checkpoint.ScanRange) error {
	origin := schema.OriginScan
	if !s.loaded.Load() {
		origin = schema.OriginSnapshot
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.workers)
	for i := range ranges {
		if !ranges[i].Done {
			group.Go(func() error { return s.readRange(ctx, &ranges[i], origin) })
		}
	}
	return group.Wait()
}

// readRange reads one range page by page, up to an empty page or its last id.
func (s *scanner) readRange(ctx context.Context, r *checkpoint.ScanRange, origin schema.Origin) error {
	for !r.Done {
		asked := oda.Window{IDs: schema.IDRange{Low: r.Next, High: r.High}}
		p, err := s.reader.readConfirmed(ctx, asked, oda.Scan, origin)
		if err != nil {
			return err
		}
		p.complete = p.completeIDs(asked)
		if p.more {
			r.Next = p.last
		}
		r.Read += int64(len(p.rows))
		r.Done = !p.more
		p.progress.Ranges = []checkpoint.ScanRange{*r}
		if err := s.writer.submit(ctx, p); err != nil {
			return err
		}
		s.status.scanned(len(p.rows))
	}
	return nil
}

// complete saves that a scan is complete, and with it the first load. If all
// vanished rows are resolved, everything that the source had when the scan began is
// published.
func (s *scanner) complete(ctx context.Context, began time.Time, resolved bool) error {
	done := checkpoint.Progress{ScannedAt: time.Now()}
	if resolved {
		done.ConsistentThrough = began
	}
	if !s.loaded.Load() {
		done.LoadedAt = done.ScannedAt
	}
	if err := s.writer.flush(ctx, done); err != nil {
		return err
	}
	s.status.consistent(done.ConsistentThrough)
	if s.loaded.CompareAndSwap(false, true) {
		s.log.Info("first load is complete", "rows", s.status.rowsRead())
	}
	return nil
}
