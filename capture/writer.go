package capture

import (
	"context"
	"fmt"
	"slices"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

const (
	queuedReadings = 32   // pages that may wait for the writer before their readers do
	batchRows      = 5000 // rows after which a batch is closed
)

// row is a row of a page with the hash of its content.
type row struct {
	oda.Row
	hash schema.Hash
}

// reading is what one request to the source brought, and how far the pass or scan
// that asked has come with it.
type reading struct {
	span
	origin   schema.Origin
	rows     []row
	rejects  []oda.Reject
	last     int64 // highest id on the page
	more     bool  // false: the page was empty, nothing is left of the window
	progress checkpoint.Progress
	saved    chan<- struct{} // closed once all of it is saved; nil: nobody waits
}

// writer is the only one that publishes an entity (invariant 4 within the
// process): it takes readings in the order in which they come, several at once,
// holds them against the ledger, publishes what differs and saves what was
// acknowledged.
type writer struct {
	*session
	acked    *positions
	rejected map[[32]byte]bool // dead-lettered in this session, by SHA-256
}

func newWriter(s *session, acked *positions) *writer {
	return &writer{session: s, acked: acked, rejected: map[[32]byte]bool{}}
}

// run works until the queue is closed and empty, or the first error: what was
// published then is unknown, and only a fold can tell.
func (w *writer) run(ctx context.Context) error {
	for {
		first, ok := <-w.queue
		if !ok {
			return nil
		}
		batch := w.collect(first)
		if err := w.write(ctx, batch); err != nil {
			return err
		}
		for _, r := range batch {
			if r.saved != nil {
				close(r.saved)
			}
		}
	}
}

// collect adds what waits already, up to batchRows.
func (w *writer) collect(first reading) []reading {
	batch, rows := []reading{first}, len(first.rows)
	for rows < batchRows {
		select {
		case r, ok := <-w.queue:
			if !ok {
				return batch
			}
			batch, rows = append(batch, r), rows+len(r.rows)
		default:
			return batch
		}
	}
	return batch
}

// write takes one batch from reading to saved.
func (w *writer) write(ctx context.Context, batch []reading) error {
	rows, err := w.settle(ctx, batch)
	if err != nil {
		return err
	}
	changes, entries, err := w.compare(ctx, rows)
	if err != nil {
		return err
	}
	if err := w.deadLetter(ctx, batch); err != nil {
		return err
	}
	progress := merge(batch)
	if len(changes) > 0 {
		if err := w.publish(ctx, changes); err != nil {
			return err
		}
		progress.Entries = entries
		progress.Seq = changes[len(changes)-1].Seq
		progress.Positions = w.acked.all()
		progress.Partitions = len(progress.Positions)
	}
	// Invariant 1: published and acknowledged, then saved.
	if err := w.store.Save(ctx, w.lease.current(), progress); err != nil {
		return err
	}
	w.note(batch, changes, progress)
	return nil
}

// settle brings a batch down to one version of each row, reading again those of
// which two readings at once gave different ones.
func (w *writer) settle(ctx context.Context, batch []reading) ([]latest, error) {
	rows, doubtful := w.recent.newest(batch)
	for _, id := range doubtful {
		again, err := w.read(ctx, oda.Window{MinID: id - 1, MaxID: id}, oda.Tail, schema.OriginScan)
		if err != nil {
			return nil, err
		}
		version, _ := w.recent.newest([]reading{again})
		for _, v := range version { // none: it vanished meanwhile, which the scan will find
			i := slices.IndexFunc(rows, func(r latest) bool { return r.ID == id })
			rows[i].row = v.row
		}
	}
	return rows, nil
}

// publish sends changes while the lease has longer to run than that may take.
func (w *writer) publish(ctx context.Context, changes []schema.Change) error {
	if err := w.lease.ensure(ctx); err != nil {
		return err
	}
	acks, err := w.publisher.Publish(ctx, changes)
	if err != nil {
		return err
	}
	w.acked.add(acks)
	return nil
}

// compare holds rows against the ledger and returns what is to be published,
// with the ledger's entries for it.
func (w *writer) compare(ctx context.Context, rows []latest) ([]schema.Change, []checkpoint.Entry, error) {
	if len(rows) == 0 {
		return nil, nil, nil
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	known, err := w.store.Entries(ctx, w.entity, ids)
	if err != nil {
		return nil, nil, err
	}
	var changes []schema.Change
	var entries []checkpoint.Entry
	for _, r := range rows {
		action, differs := w.action(known, r)
		if !differs {
			continue
		}
		c := schema.Change{
			Entity: w.entity, ID: r.ID, Action: action, Seq: w.ticks.next(), Timestamp: time.Now().UTC(),
			Opdateringsdato: r.Opdateringsdato, Origin: r.origin, Data: r.Data,
		}
		changes = append(changes, c)
		entries = append(entries, checkpoint.Entry{ID: c.ID, Seq: c.Seq, Hash: r.hash})
	}
	return changes, entries, nil
}

// action says what a row is to those who know what the ledger knows.
func (w *writer) action(known map[int64]checkpoint.Entry, r latest) (schema.Action, bool) {
	entry, ok := known[r.ID]
	switch {
	case !ok && !w.loaded.Load():
		return schema.Snapshot, true
	case !ok || entry.State == checkpoint.Deleted:
		return schema.Create, true
	case entry.State == checkpoint.Live && entry.Hash == r.hash:
		return "", false // read again, or stamped anew without a change
	}
	return schema.Update, true
}

// note tells metrics and status what a batch did.
func (w *writer) note(batch []reading, changes []schema.Change, p checkpoint.Progress) {
	for _, r := range batch {
		if len(r.rows) > 0 {
			w.metrics.rows.WithLabelValues(w.entity, string(r.origin)).Add(float64(len(r.rows)))
		}
	}
	for _, c := range changes {
		w.metrics.changes.WithLabelValues(w.entity, string(c.Action), string(c.Origin)).Inc()
	}
	if len(changes) > 0 {
		w.metrics.batches.WithLabelValues(w.entity).Inc()
		w.status.publishedMore(len(changes))
	}
	if !p.Watermark.IsZero() {
		w.metrics.moved(w.entity, p.Watermark)
	}
}

// merge joins the progress of a batch; of what it says twice the later counts.
func merge(batch []reading) checkpoint.Progress {
	var all checkpoint.Progress
	for _, r := range batch {
		p := r.progress
		all.Ranges = append(all.Ranges, p.Ranges...)
		if p.Pass != nil {
			all.Pass = p.Pass
		}
		if !p.Watermark.IsZero() {
			all.Watermark, all.WallClock = p.Watermark, p.WallClock
		}
		if !p.LoadedAt.IsZero() {
			all.LoadedAt = p.LoadedAt
		}
		if !p.ScannedAt.IsZero() {
			all.ScannedAt = p.ScannedAt
		}
	}
	return all
}

// hashRows takes the hash of each row of a page.
func hashRows(entity string, page []oda.Row) ([]row, error) {
	rows := make([]row, len(page))
	for i, r := range page {
		hash, err := schema.ContentHash(r.Data)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", schema.Key(entity, r.ID), err)
		}
		rows[i] = row{r, hash}
	}
	return rows, nil
}
