package capture

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

const (
	// recheckDelay is the time from a scan to the recheck of the rows that it missed.
	recheckDelay = 2 * time.Second
	// maxDeletes and maxDeleteShare limit what one scan may delete: the higher of the
	// two counts.
	maxDeletes, maxDeleteShare = 100, 0.02
)

// HeldBackError says that the deletes of an entity's vanished rows are held back: there
// are more than one scan may delete, or no row is left to prove that the source's
// answer is right. They wait until a second scan agrees, or a person confirms them.
type HeldBackError struct {
	Entity string
	Rows   int   // whose deletes are held back
	Limit  int64 // the number of rows that one scan may delete
	// Collapsed means that more rows than Limit vanished, and that the entity went from
	// more than a page of rows to one page or none. Then only a person can confirm.
	Collapsed bool
	// Alone means that every row vanished, so that none has a known neighbour in the
	// answer. Then only a person can confirm, however small the entity is.
	Alone bool
}

// Error says which rule holds the deletes back, and what to do.
func (e *HeldBackError) Error() string {
	what := fmt.Sprintf("%d rows of %s vanished at once, more than %d", e.Rows, e.Entity, e.Limit)
	until := "you confirm it with"
	switch {
	case e.Alone:
		what = fmt.Sprintf("all rows of %s vanished, %d in number, and no known row is in the source's answer", e.Entity, e.Rows)
	case e.Collapsed:
		what += ", and a page or less is left"
	default:
		until = "the next scan agrees, or you confirm it with"
	}
	return fmt.Sprintf("%s: their deletes are held back until %s: odastream scan --confirm-deletes %s", what, until, e.Entity)
}

// vanishedStore is the part of the store that has the vanished rows.
type vanishedStore interface {
	VanishedRows(ctx context.Context, entity string) ([]checkpoint.VanishedRow, error)
	Count(ctx context.Context, entity string) (int64, error)
}

// rechecker looks again for the rows that scans did not find, and has those deleted
// that are gone.
type rechecker struct {
	entity string
	store  vanishedStore
	seq    *seqClock
	recent *recent
	reader *reader
	writer *writer
	delay  time.Duration // before the recheck
	log    *slog.Logger
}

// recheck reads the vanished rows again and has deletes published of those that are
// gone. It returns the deletes that are held back, and whether every vanished row
// is resolved: it is at the source again, or its delete is published.
func (r *rechecker) recheck(ctx context.Context, ranges []checkpoint.ScanRange) (heldBack *HeldBackError, resolved bool, err error) {
	vanished, err := r.store.VanishedRows(ctx, r.entity)
	if err != nil || len(vanished) == 0 {
		return nil, err == nil, err
	}
	deletable, heldBack, err := r.judge(ctx, vanished, ranges)
	if err != nil || len(deletable) == 0 {
		return heldBack, false, err
	}
	if err := wait(ctx, r.delay); err != nil {
		return nil, false, err
	}
	for _, group := range groupByNeighbours(deletable) {
		if err := r.recheckGroup(ctx, group); err != nil {
			return nil, false, err
		}
	}
	if err := r.writer.flush(ctx, checkpoint.Progress{}); err != nil {
		return nil, false, err
	}
	left, err := r.store.VanishedRows(ctx, r.entity)
	if kept := len(vanished) - len(deletable); err == nil && len(left) > kept {
		r.log.Warn("rows are not at the source and cannot be proved deleted: the next scan rechecks them", "rows", len(left)-kept)
	}
	return heldBack, len(left) == 0, err
}

// judge returns the rows that may be deleted if the recheck does not find them, and
// the deletes that are held back.
func (r *rechecker) judge(ctx context.Context, vanished []checkpoint.VanishedRow, ranges []checkpoint.ScanRange) (deletable []checkpoint.VanishedRow, heldBack *HeldBackError, err error) {
	live, err := r.store.Count(ctx, r.entity)
	if err != nil {
		return nil, nil, err
	}
	var read int64
	for _, done := range ranges {
		read += done.Read
	}
	deletable, heldBack = divide(vanished, live, read)
	if heldBack != nil {
		heldBack.Entity = r.entity
	}
	return deletable, heldBack, nil
}

// divide divides vanished rows of an entity that had live rows, of which a scan read
// some. heldBack is nil if all of them may be deleted.
func divide(vanished []checkpoint.VanishedRow, live, read int64) (deletable []checkpoint.VanishedRow, heldBack *HeldBackError) {
	limit := max(maxDeletes, int64(maxDeleteShare*float64(live)))
	few := int64(len(vanished)) <= limit
	collapsed := !few && live > schema.PageSize && read <= schema.PageSize
	var alone bool
	for _, v := range vanished {
		hasNeighbour := v.Below != nil || v.Above != nil
		agreed := few || v.Scans > 1 && !collapsed
		if v.Confirmed || hasNeighbour && agreed {
			deletable = append(deletable, v)
		}
		alone = alone || !hasNeighbour
	}
	if n := len(vanished) - len(deletable); n > 0 {
		heldBack = &HeldBackError{Rows: n, Limit: limit, Collapsed: collapsed, Alone: alone}
	}
	return deletable, heldBack
}

// recheckGroup reads the rows from one neighbour of a group to the other.
func (r *rechecker) recheckGroup(ctx context.Context, group []checkpoint.VanishedRow) error {
	proof := absence{span: span{began: r.seq.next()}}
	r.recent.begin(proof.began)
	pages, err := r.readBetween(ctx, group[0].Below, group[0].Above)
	if err != nil {
		r.recent.end(proof.began)
		return err
	}
	proof.ended, proof.ids = r.seq.next(), absentRows(group, pages)
	return r.writer.submit(ctx, proof)
}

// readBetween reads and submits the rows from below to above, both included. Without
// one of them, it reads from the first row, or up to the last.
func (r *rechecker) readBetween(ctx context.Context, below, above *int64) ([]page, error) {
	asked := oda.Window{IDs: schema.AllIDs()}
	if below != nil {
		asked.IDs.Low = schema.OneID(*below).Low
	}
	if above != nil {
		asked.IDs.High = *above
	}
	var pages []page
	for {
		p, err := r.reader.readConfirmed(ctx, asked, oda.Scan, schema.OriginScan)
		if err != nil {
			return nil, err
		}
		if p.empty() {
			r.reader.discard(p)
			return pages, nil
		}
		pages = append(pages, p)
		if err := r.writer.submit(ctx, p); err != nil || !p.more {
			return pages, err
		}
		asked.IDs.Low = p.last
	}
}

// absentRows returns the rows of a group that are not on the pages. It returns none if a
// neighbour is missing too: then the pages prove nothing.
func absentRows(group []checkpoint.VanishedRow, pages []page) []int64 {
	if slices.ContainsFunc(pages, page.hasRejectWithoutID) {
		return nil
	}
	here := map[int64]bool{}
	for _, p := range pages {
		for _, row := range p.rows {
			here[row.ID] = true
		}
	}
	absent := func(id int64) bool {
		return !here[id] && !slices.ContainsFunc(pages, func(p page) bool { return p.rejected(id) })
	}
	below, above := group[0].Below, group[0].Above
	if below != nil && absent(*below) || above != nil && absent(*above) {
		return nil
	}
	var ids []int64
	for _, v := range group {
		if absent(v.ID) {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

// groupByNeighbours groups rows with the same two neighbours.
func groupByNeighbours(vanished []checkpoint.VanishedRow) [][]checkpoint.VanishedRow {
	var groups [][]checkpoint.VanishedRow
	for i, v := range vanished {
		if i > 0 && equal(v.Below, vanished[i-1].Below) && equal(v.Above, vanished[i-1].Above) {
			groups[len(groups)-1] = append(groups[len(groups)-1], v)
			continue
		}
		groups = append(groups, []checkpoint.VanishedRow{v})
	}
	return groups
}

func equal(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }
