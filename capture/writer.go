package capture

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

const (
	queuedReadings = 32   // pages that may wait for the writer before their readers do
	batchRows      = 5000 // rows after which a batch is closed
)

// row is a row of a page with the hashes of its content.
type row struct {
	oda.Row
	hash   schema.Hash
	fields schema.Fields
}

// reading is what one request to the source brought, and how far the pass or scan
// that asked has come with it.
type reading struct {
	span
	origin   schema.Origin
	behind   int64 // watermark when the request began, in microseconds since 1970
	rows     []row
	rejects  []oda.Reject
	last     int64              // highest id on the page
	more     bool               // false: the page was empty, nothing is left of the window
	window   *checkpoint.Window // of a scan: all rows with these ids are on the page
	gone     []int64            // rows that a second look proved gone
	refold   bool               // first bring the ledger up to the topic's end again
	progress checkpoint.Progress
	saved    chan<- struct{} // closed once all of it is saved; nil: nobody waits
}

// writer is the only one that publishes an entity (invariant 4 within the
// process): it takes readings in the order in which they come, several at once,
// holds them against the ledger, publishes what differs and hands what was
// acknowledged to its saver.
type writer struct {
	*session
	saver    *saver
	acked    *positions
	missing  map[int64]bool    // rows that scans did not find and that are not settled
	rejected map[[32]byte]bool // dead-lettered in this session, by SHA-256
}

func newWriter(s *session, acked *positions, missing []checkpoint.Missing) *writer {
	w := &writer{session: s, saver: newSaver(s), acked: acked, missing: map[int64]bool{}, rejected: map[[32]byte]bool{}}
	for _, m := range missing {
		w.missing[m.ID] = true
	}
	return w
}

// run works until the queue is closed and empty, or the first error: what was
// published then is unknown, and only a fold can tell.
func (w *writer) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer w.saver.close()
		return w.writeAll(ctx)
	})
	group.Go(func() error { return w.saver.run(ctx) })
	return group.Wait()
}

func (w *writer) writeAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case first, ok := <-w.queue:
			if !ok {
				return nil
			}
			if err := w.write(ctx, w.collect(first)); err != nil {
				return err
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

// write takes one batch from reading to acknowledged.
func (w *writer) write(ctx context.Context, batch []reading) error {
	if slices.ContainsFunc(batch, func(r reading) bool { return r.refold }) {
		if err := w.refoldTopic(ctx); err != nil {
			return err
		}
	}
	rows, err := w.settle(ctx, batch)
	if err != nil {
		return err
	}
	out, err := w.compare(ctx, batch, rows)
	if err != nil {
		return err
	}
	if err := w.deadLetter(ctx, batch); err != nil {
		return err
	}
	progress := merge(batch)
	progress.Vanished, progress.Returned, progress.Lateness = out.vanished, out.returned, out.lateness.list
	if len(out.changes) > 0 {
		if err := w.publish(ctx, out.changes); err != nil {
			return err
		}
		progress.Entries, progress.Seq = out.entries, out.changes[len(out.changes)-1].Seq
		progress.Positions = w.acked.all()
		progress.Partitions = len(progress.Positions)
	}
	w.noteMissing(batch, out)
	// Invariant 1: published and acknowledged, then saved.
	return w.saver.save(ctx, written{batch: batch, out: out, progress: progress})
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
		w.recent.end(again.began)
		i := slices.IndexFunc(rows, func(r latest) bool { return r.ID == id })
		switch {
		case i < 0:
		case len(version) == 0: // it vanished meanwhile, which the scan will find
			rows = slices.Delete(rows, i, i+1)
		default:
			rows[i].row = version[0].row
		}
	}
	return rows, nil
}

// publish sends changes, so many at a time as are sure to be through in time, while
// the lease has longer to run than that may take.
func (w *writer) publish(ctx context.Context, changes []schema.Change) error {
	for some := range slices.Chunk(changes, batchRows) {
		if err := w.lease.ensure(ctx); err != nil {
			return err
		}
		acks, err := w.publisher.Publish(ctx, some)
		if err != nil {
			return err
		}
		w.acked.add(acks)
	}
	return nil
}

// noteMissing remembers which rows are missing, and lets go of the batch's
// requests: their rows are compared.
func (w *writer) noteMissing(batch []reading, out outcome) {
	began := make([]int64, len(batch))
	for i, r := range batch {
		began[i] = r.began
	}
	w.recent.end(began...)
	for _, id := range out.vanished {
		w.missing[id] = true
	}
	for _, id := range out.returned {
		delete(w.missing, id)
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
		if !p.ConsistentThrough.IsZero() {
			all.ConsistentThrough = p.ConsistentThrough
		}
	}
	return all
}

// hashRows takes the hashes of each row of a page.
func hashRows(entity string, page []oda.Row) ([]row, error) {
	rows := make([]row, len(page))
	for i, r := range page {
		hash, fields, err := schema.Fingerprint(r.Data)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", schema.Key(entity, r.ID), err)
		}
		rows[i] = row{r, hash, fields}
	}
	return rows, nil
}
