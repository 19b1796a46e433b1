package capture

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"odastream/checkpoint"
	"odastream/schema"
)

// ledger is the part of the store that rows are compared with.
type ledger interface {
	RangeChecksums(ctx context.Context, entity string, ranges []schema.IDRange) ([]checkpoint.RangeChecksum, error)
	RowChecksums(ctx context.Context, entity string, ids []int64, ranges []schema.IDRange) (map[int64]checkpoint.RowChecksum, error)
	Entries(ctx context.Context, entity string, ids []int64, ranges []schema.IDRange) (map[int64]checkpoint.Entry, error)
}

// comparer compares rows with the ledger: whole ranges by their checksums, the rows
// of the others by theirs, and by content only the rows whose checksums differ.
type comparer struct {
	entity   string
	ledger   ledger
	seq      *seqClock
	recent   *recent
	loaded   *atomic.Bool                // the first load is complete
	unsaved  func() [][]checkpoint.Entry // entries that are sent and not in the ledger yet
	vanished map[int64]bool              // rows that scans did not find and that are neither back nor deleted
}

// result is what a comparison found: what to publish, and what to save with it.
type result struct {
	changes  []schema.Change
	entries  []checkpoint.Entry // of changes, and of rows with a new checksum only
	vanished []int64
	returned []int64
	lateness lateRows
	older    []rowVersion // to be read again: they may be older than what the ledger has
}

// add adds a later result, without its older rows. A row that vanished later is not back.
func (r *result) add(later result) {
	r.changes = append(r.changes, later.changes...)
	r.entries = append(r.entries, later.entries...)
	r.vanished = append(r.vanished, later.vanished...)
	r.returned = slices.DeleteFunc(r.returned, func(id int64) bool { return slices.Contains(later.vanished, id) })
	r.returned = append(r.returned, later.returned...)
	r.lateness.merge(later.lateness)
}

// empty reports whether everything is as the ledger has it.
func (r result) empty() bool {
	return len(r.entries)+len(r.vanished)+len(r.returned) == 0
}

// compare compares a batch with the ledger. rows are the versions of the rows on
// its pages.
func (c *comparer) compare(ctx context.Context, b batch, rows []rowVersion) (result, error) {
	var res result
	ids, ranges := b.lookups()
	if len(ids)+len(ranges) == 0 {
		return res, nil
	}
	c.findReturned(rows, &res)
	// Taken before the ledger is read: an entry saved in between is in one of both.
	unsaved := c.unsaved()
	ranges, rows, err := c.differing(ctx, schema.JoinRanges(ranges), rows, unsaved)
	if err != nil {
		return res, err
	}
	checksums, err := c.ledger.RowChecksums(ctx, c.entity, ids, ranges)
	if err != nil {
		return res, err
	}
	for entry := range each(unsaved) {
		checksums[entry.ID] = entry.RowChecksum()
	}
	rows = withOtherChecksums(rows, checksums)
	known, err := c.entries(ctx, rows, checksums, unsaved)
	if err != nil {
		return res, err
	}
	for _, r := range rows {
		if err := c.compareRow(known, r, &res); err != nil {
			return res, err
		}
	}
	c.findAbsent(b, checksums, &res)
	c.noteVanished(res)
	return res, nil
}

// findAbsent adds to res the rows that scans' pages lack, and the deletes of those
// that are proved absent.
func (c *comparer) findAbsent(b batch, checksums map[int64]checkpoint.RowChecksum, res *result) {
	live := liveIDs(checksums)
	for _, p := range b.pages {
		c.findVanished(live, p, res)
	}
	for _, a := range b.absences {
		c.addDeletes(checksums, a, res)
	}
}

// findReturned adds to res the vanished rows that are at the source again.
func (c *comparer) findReturned(rows []rowVersion, res *result) {
	for _, r := range rows {
		if c.vanished[r.ID] {
			delete(c.vanished, r.ID)
			res.returned = append(res.returned, r.ID)
		}
	}
}

// addVanished adds to res the rows that a page of a scan or of its recheck had, and that
// were not at the source when they were read once more. What the page had of them is not
// published. A row whose newest version is a delete has not vanished.
func (c *comparer) addVanished(gone []rowVersion, res *result) {
	var added result
	for _, r := range gone {
		if r.origin != schema.OriginTail && !r.deleted {
			added.vanished = append(added.vanished, r.ID)
		}
	}
	c.noteVanished(added)
	res.add(added)
}

func (c *comparer) noteVanished(res result) {
	for _, id := range res.vanished {
		c.vanished[id] = true
	}
	for _, id := range res.returned {
		delete(c.vanished, id)
	}
}

// differing removes the ranges whose checksums are equal to the ledger's, and their
// rows: most pages of most scans, without reading a row of the ledger. The ranges
// ascend and do not touch.
func (c *comparer) differing(ctx context.Context, ranges []schema.IDRange, rows []rowVersion, unsaved [][]checkpoint.Entry) ([]schema.IDRange, []rowVersion, error) {
	if len(ranges) == 0 || !c.loaded.Load() {
		return ranges, rows, nil
	}
	known, err := c.ledger.RangeChecksums(ctx, c.entity, ranges)
	if err != nil {
		return nil, nil, err
	}
	same := equalChecksums(known, rangeChecksums(ranges, rows))
	for entry := range each(unsaved) { // the ledger does not have it yet
		if i := indexOf(ranges, entry.ID); i >= 0 {
			same[i] = false
		}
	}
	rows = slices.DeleteFunc(rows, func(r rowVersion) bool {
		i := indexOf(ranges, r.ID)
		return r.scanned && i >= 0 && same[i]
	})
	var differing []schema.IDRange
	for i, r := range ranges {
		if !same[i] {
			differing = append(differing, r)
		}
	}
	return differing, rows, nil
}

// entries returns the ledger's entries of rows.
func (c *comparer) entries(ctx context.Context, rows []rowVersion, checksums map[int64]checkpoint.RowChecksum, unsaved [][]checkpoint.Entry) (map[int64]checkpoint.Entry, error) {
	var ids []int64
	for _, r := range rows {
		if _, known := checksums[r.ID]; known {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	known, err := c.ledger.Entries(ctx, c.entity, ids, nil)
	if err != nil {
		return nil, err
	}
	for entry := range each(unsaved) {
		known[entry.ID] = entry
	}
	return known, nil
}

// compareRow compares one row with its entry by content.
func (c *comparer) compareRow(known map[int64]checkpoint.Entry, r rowVersion, res *result) error {
	hash, fields, err := schema.Fingerprint(r.Data)
	if err != nil {
		return fmt.Errorf("compare %s: %w", schema.Key(c.entity, r.ID), err)
	}
	entry, ok := known[r.ID]
	action, differs := c.action(entry, ok, hash)
	if !differs {
		res.entries = append(res.entries, withNewChecksum(entry, r))
		return nil
	}
	if isOlder(entry, r) {
		r.deleted = entry.State == checkpoint.Deleted
		res.older = append(res.older, r)
		return nil
	}
	change := c.newChange(r.ID, action, r.origin)
	change.Opdateringsdato, change.Data = r.Opdateringsdato, r.Data
	if action == schema.Update {
		change.Changed = entry.Fields.Changed(r.Data)
	}
	res.changes = append(res.changes, change)
	res.entries = append(res.entries, checkpoint.Entry{
		ID: change.ID, Seq: change.Seq, Hash: hash, Checksum: r.checksum, Stamp: r.Opdateringsdato, Fields: fields, New: !ok,
	})
	// A Dirty entry has no stamp to tell whether this one is new.
	if c.loaded.Load() && entry.State != checkpoint.Dirty && entry.Stamp != r.Opdateringsdato {
		res.lateness.add(r.Opdateringsdato, r.watermark)
	}
	return nil
}

// newChange returns a change without what depends on the row's content.
func (c *comparer) newChange(id int64, action schema.Action, origin schema.Origin) schema.Change {
	return schema.Change{
		Entity: c.entity, ID: id, Action: action, Seq: c.seq.next(), Timestamp: time.Now().UTC(), Origin: origin,
	}
}

// action returns what a row with this content is to a reader of the topic. It is
// false if the topic has the content already.
func (c *comparer) action(entry checkpoint.Entry, known bool, hash schema.Hash) (schema.Action, bool) {
	known = known && entry.State != checkpoint.Lost // the topic has no record of a Lost row
	switch {
	case !known && !c.loaded.Load():
		return schema.Snapshot, true
	case !known || entry.State == checkpoint.Deleted:
		return schema.Create, true
	case entry.State == checkpoint.Live && entry.Hash == hash:
		return "", false
	}
	return schema.Update, true
}

// findVanished adds to res the rows of the ledger that a scan's page should have and
// lacks. The page's rows ascend, as oda has checked.
func (c *comparer) findVanished(live []int64, p page, res *result) {
	if p.complete == nil || p.hasRejectWithoutID() {
		return
	}
	at, _ := slices.BinarySearch(live, p.complete.First())
	here := p.rows
	for ; at < len(live) && live[at] <= p.complete.High; at++ {
		id := live[at]
		for len(here) > 0 && here[0].ID < id {
			here = here[1:]
		}
		if (len(here) == 0 || here[0].ID != id) && !p.rejected(id) && c.recent.provesAbsent(id, p.span) {
			res.vanished = append(res.vanished, id)
		}
	}
}

// addDeletes adds to res the deletes of rows that are proved absent: a scan missed them,
// the recheck too, and no request saw them in between.
func (c *comparer) addDeletes(checksums map[int64]checkpoint.RowChecksum, a absence, res *result) {
	for _, id := range a.ids {
		known, ok := checksums[id]
		if ok && !known.Deleted {
			if !c.vanished[id] || !c.recent.provesAbsent(id, a.span) {
				continue // read again meanwhile
			}
			change := c.newChange(id, schema.Delete, schema.OriginScan)
			res.changes = append(res.changes, change)
			res.entries = append(res.entries, checkpoint.Entry{ID: id, Seq: change.Seq, State: checkpoint.Deleted})
		}
		c.recent.noteDeleted(id, a.span)
		res.returned = append(res.returned, id)
	}
}

// withOtherChecksums returns the rows whose checksums differ from the ledger's.
func withOtherChecksums(rows []rowVersion, checksums map[int64]checkpoint.RowChecksum) []rowVersion {
	return slices.DeleteFunc(rows, func(r rowVersion) bool { return checksums[r.ID].Checksum == r.checksum })
}

// withNewChecksum returns the entry of a row with the same content, with the row's
// checksum and stamp.
func withNewChecksum(entry checkpoint.Entry, r rowVersion) checkpoint.Entry {
	entry.Checksum, entry.Stamp, entry.New = r.checksum, r.Opdateringsdato, false
	return entry
}

// each yields the entries of batches in their order: the last one of a row counts.
func each(batches [][]checkpoint.Entry) iter.Seq[checkpoint.Entry] {
	return func(yield func(checkpoint.Entry) bool) {
		for _, batch := range batches {
			for _, entry := range batch {
				if !yield(entry) {
					return
				}
			}
		}
	}
}

// liveIDs returns the ids of the rows that the source should have, ascending.
func liveIDs(checksums map[int64]checkpoint.RowChecksum) []int64 {
	ids := make([]int64, 0, len(checksums))
	for id, known := range checksums {
		if !known.Deleted {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
