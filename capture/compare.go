package capture

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

// outcome is what comes of a batch: what to publish, and what to save with it.
type outcome struct {
	changes  []schema.Change
	entries  []checkpoint.Entry // of changes, and of rows that are only spelled otherwise
	vanished []int64
	returned []int64
	lateness lateRows
}

// empty tells whether all is as the ledger has it.
func (o outcome) empty() bool {
	return len(o.entries)+len(o.vanished)+len(o.returned) == 0
}

// compare holds a batch against the ledger: windows by their digests, the rows of
// those that differ by their spellings, and what is spelled otherwise in full.
func (w *writer) compare(ctx context.Context, batch []reading, rows []latest) (outcome, error) {
	var out outcome
	ids, windows := questions(batch)
	if len(ids)+len(windows) == 0 {
		return out, nil
	}
	w.noteReturned(rows, &out)
	unsaved := w.saver.pending()
	windows, rows, err := w.differing(ctx, checkpoint.Joined(windows), rows, unsaved)
	if err != nil {
		return out, err
	}
	marks, err := w.store.Marks(ctx, w.entity, ids, windows)
	if err != nil {
		return out, err
	}
	for entry := range each(unsaved) {
		marks[entry.ID] = entry.Mark()
	}
	rows = unlike(rows, marks)
	known, err := w.entries(ctx, rows, marks, unsaved)
	if err != nil {
		return out, err
	}
	for _, r := range rows {
		if err := w.compareRow(known, r, &out); err != nil {
			return out, err
		}
	}
	live := liveIDs(marks)
	for _, r := range batch {
		w.findVanished(live, r, &out)
		w.bury(marks, r, &out)
	}
	return out, nil
}

// noteReturned notes the rows that were missing and are there.
func (w *writer) noteReturned(rows []latest, out *outcome) {
	for _, r := range rows {
		if w.missing[r.ID] {
			out.returned = append(out.returned, r.ID)
		}
	}
}

// unlike cuts rows down to those that the ledger does not know as they are spelled.
func unlike(rows []latest, marks map[int64]checkpoint.Mark) []latest {
	return slices.DeleteFunc(rows, func(r latest) bool { return marks[r.ID].Spelling == r.spelling })
}

// entries looks up in full what the ledger knows of rows.
func (w *writer) entries(ctx context.Context, rows []latest, marks map[int64]checkpoint.Mark, unsaved [][]checkpoint.Entry) (map[int64]checkpoint.Entry, error) {
	var ids []int64
	for _, r := range rows {
		if _, known := marks[r.ID]; known {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	known, err := w.store.Entries(ctx, w.entity, ids, nil)
	if err != nil {
		return nil, err
	}
	for entry := range each(unsaved) {
		known[entry.ID] = entry
	}
	return known, nil
}

// each goes through the entries of batches in their order: of a row that is in
// several the last one counts.
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

// liveIDs lists the rows that the ledger has and the topic does not hold as
// deleted, ids ascending.
func liveIDs(marks map[int64]checkpoint.Mark) []int64 {
	ids := make([]int64, 0, len(marks))
	for id, mark := range marks {
		if !mark.Deleted {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// questions is what the ledger must be asked: for the rows of a scan's pages by
// the ids that a page spans, which shows what is missing from it as well.
func questions(batch []reading) (ids []int64, windows []schema.IDRange) {
	for _, r := range batch {
		ids = append(ids, r.gone...)
		if r.window != nil {
			windows = append(windows, *r.window)
			continue
		}
		for _, row := range r.rows {
			ids = append(ids, row.ID)
		}
	}
	return ids, windows
}

// compareRow holds one row against what the ledger knows of its content.
func (w *writer) compareRow(known map[int64]checkpoint.Entry, r latest, out *outcome) error {
	hash, fields, err := schema.Fingerprint(r.Data)
	if err != nil {
		return fmt.Errorf("compare %s: %w", schema.Key(w.entity, r.ID), err)
	}
	entry, ok := known[r.ID]
	action, differs := w.action(entry, ok, hash)
	if !differs {
		out.entries = append(out.entries, respelled(entry, r))
		return nil
	}
	c := w.change(r.ID, action, r.origin)
	c.Opdateringsdato, c.Data = r.Opdateringsdato, r.Data
	if action == schema.Update {
		c.Changed = entry.Fields.Changed(r.Data)
	}
	out.changes = append(out.changes, c)
	out.entries = append(out.entries, checkpoint.Entry{
		ID: c.ID, Seq: c.Seq, Hash: hash, Spelling: r.spelling, Stamp: r.Opdateringsdato, Fields: fields, New: !ok,
	})
	// Of a row that is repaired it is not known whether its stamp is new.
	if w.loaded.Load() && entry.State != checkpoint.Dirty && entry.Stamp != r.Opdateringsdato {
		out.lateness.add(r.Opdateringsdato, r.behind)
	}
	return nil
}

// respelled is the entry of a row that was read again or stamped anew without a
// change: from now on it is known by its new spelling.
func respelled(entry checkpoint.Entry, r latest) checkpoint.Entry {
	entry.Spelling, entry.Stamp, entry.New = r.spelling, r.Opdateringsdato, false
	return entry
}

// change begins a change with what does not depend on the row's content.
func (w *writer) change(id int64, action schema.Action, origin schema.Origin) schema.Change {
	return schema.Change{
		Entity: w.entity, ID: id, Action: action, Seq: w.ticks.next(), Timestamp: time.Now().UTC(), Origin: origin,
	}
}

// action says what a row is to those who know what the ledger knows.
func (w *writer) action(entry checkpoint.Entry, known bool, hash schema.Hash) (schema.Action, bool) {
	known = known && entry.State != checkpoint.Lost // a topic that is gone told nobody of today's
	switch {
	case !known && !w.loaded.Load():
		return schema.Snapshot, true
	case !known || entry.State == checkpoint.Deleted:
		return schema.Create, true
	case entry.State == checkpoint.Live && entry.Hash == hash:
		return "", false
	}
	return schema.Update, true
}

// findVanished lists the rows of the ledger that a scan's page should hold and
// does not. The page's rows ascend, as oda has checked.
func (w *writer) findVanished(live []int64, r reading, out *outcome) {
	if r.window == nil || r.blind() {
		return
	}
	at, _ := slices.BinarySearch(live, r.window.Low+1)
	here := r.rows
	for ; at < len(live) && live[at] <= r.window.High; at++ {
		id := live[at]
		for len(here) > 0 && here[0].ID < id {
			here = here[1:]
		}
		if (len(here) == 0 || here[0].ID != id) && !r.rejected(id) && w.recent.missed(id, r.span) {
			out.vanished = append(out.vanished, id)
		}
	}
}

// bury makes deletes of the rows that a second look proved gone.
func (w *writer) bury(marks map[int64]checkpoint.Mark, r reading, out *outcome) {
	for _, id := range r.gone {
		mark, ok := marks[id]
		if ok && !mark.Deleted {
			if !w.recent.missed(id, r.span) {
				continue // seen again meanwhile
			}
			c := w.change(id, schema.Delete, schema.OriginScan)
			out.changes = append(out.changes, c)
			out.entries = append(out.entries, checkpoint.Entry{ID: id, Seq: c.Seq, State: checkpoint.Deleted})
		}
		w.recent.gone(id, r.span)
		out.returned = append(out.returned, id)
	}
}

// accountsFor is the ids that a page asked for with w accounts for.
func (r reading) accountsFor(w oda.Window) *schema.IDRange {
	ids := w.IDs
	if r.more {
		ids.High = r.last
	}
	return &ids
}
