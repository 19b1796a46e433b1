package capture

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

const (
	queuedReadings = 64   // pages that may wait for the writer before their readers do
	batchRows      = 5000 // rows after which a batch is closed
)

// row is a row of a page.
type row struct {
	oda.Row
	spelling schema.Spelling
}

// reading is what one request to the source brought, and how far the pass or scan
// that asked has come with it.
type reading struct {
	span
	origin   schema.Origin
	behind   int64 // watermark when the request began, in microseconds since 1970
	rows     []row
	rejects  []oda.Reject
	last     int64           // highest id on the page
	more     bool            // false: the page was empty, nothing is left of the window
	window   *schema.IDRange // of a scan: all rows with these ids are on the page
	gone     []int64         // rows that a second look proved gone
	refold   bool            // first bring the ledger up to the topic's end again
	progress checkpoint.Progress
	saved    chan<- struct{} // closed once all of it is saved; nil: nobody waits
}

// writer is the only one that writes an entity (invariant 4 within the process): it
// takes readings in the order in which they come, several at once, and holds them
// against the ledger. What differs it hands to its sender, who publishes it and
// hands what was acknowledged to the saver: three batches are on their way at once,
// one behind the other.
type writer struct {
	*session
	sender  *sender
	saver   *saver
	missing map[int64]bool // rows that scans did not find and that are not settled
	held    []reading      // compared, of which there is nothing to say yet but how far the scan has come
}

// compared is a batch that was held against the ledger, on its way to the topic and
// from there to the store.
type compared struct {
	batch    []reading
	out      outcome
	progress checkpoint.Progress
}

func newWriter(s *session, acked *positions, missing []checkpoint.Missing) *writer {
	saver := newSaver(s)
	w := &writer{session: s, sender: newSender(s, saver, acked), saver: saver, missing: map[int64]bool{}}
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
		defer w.sender.close()
		return w.writeAll(ctx)
	})
	group.Go(func() error { return w.sender.run(ctx) })
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
				return w.handOn(ctx, outcome{})
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

// write holds one batch against the ledger and hands on what comes of it.
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
	w.noteMissing(batch, out)
	w.held = append(w.held, batch...)
	if out.empty() && canWait(w.held) {
		return nil
	}
	return w.handOn(ctx, out)
}

// canWait tells whether the readings say only how far a scan has come, and that is
// not far enough to be worth a transaction.
func canWait(held []reading) bool {
	rows := 0
	for _, r := range held {
		if r.window == nil || len(r.rejects) > 0 || r.saved != nil {
			return false
		}
		rows += len(r.rows)
	}
	return rows < batchRows
}

// handOn gives the sender what has been compared.
func (w *writer) handOn(ctx context.Context, out outcome) error {
	if len(w.held) == 0 {
		return nil
	}
	progress := merge(w.held)
	progress.Entries, progress.Vanished, progress.Returned, progress.Lateness = out.entries, out.vanished, out.returned, out.lateness.list
	w.saver.expect(out.entries)
	next := compared{batch: w.held, out: out, progress: progress}
	w.held = nil
	return w.sender.send(ctx, next)
}

// settle brings a batch down to one version of each row, reading again those of
// which two readings at once gave different ones.
func (w *writer) settle(ctx context.Context, batch []reading) ([]latest, error) {
	rows, doubtful := w.recent.newest(batch)
	for _, id := range doubtful {
		again, err := w.read(ctx, oda.Window{IDs: schema.OneID(id)}, oda.Tail, schema.OriginScan)
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
		for _, moved := range p.Ranges {
			all.Ranges = append(slices.DeleteFunc(all.Ranges, func(r checkpoint.ScanRange) bool { return r.Low == moved.Low }), moved)
		}
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

// spelled takes the spelling of each row of a page.
func spelled(page []oda.Row) []row {
	rows := make([]row, len(page))
	for i, r := range page {
		rows[i] = row{r, schema.SpellingOf(r.Data)}
	}
	return rows
}
