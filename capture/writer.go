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
	queuedMessages = 64   // messages that may wait for the writer before their senders do
	batchRows      = 5000 // rows after which a batch is closed
)

// writer writes one entity. Invariant 4: within the process nobody else does. It
// compares the pages that readers submit with the ledger, batch by batch. Its
// sender publishes what differs, and its saver saves what is acknowledged. So
// three batches are in work at once: while one is saved, the next is published and
// the third compared.
type writer struct {
	queue    chan message
	reader   *reader
	recent   *recent
	comparer *comparer
	rereader *rereader
	folder   *folder
	sender   *sender
	saver    *saver
	unsent   batch // compared; nothing of it is to be published, and it can be saved later
}

// submit sends a message to the writer. It waits while the queue is full.
func (w *writer) submit(ctx context.Context, m message) error {
	return put(ctx, w.queue, m)
}

// flush sends progress to the writer. It returns once that and all that was
// submitted before it is saved.
func (w *writer) flush(ctx context.Context, p checkpoint.Progress) error {
	saved := make(chan struct{})
	if err := w.submit(ctx, flush{p, saved}); err != nil {
		return err
	}
	return waitClosed(ctx, saved)
}

// close ends run once the queue is empty.
func (w *writer) close() { close(w.queue) }

// run works until the queue is closed and empty, or until the first error. After an
// error it is unknown which records are on the topic: only a fold can tell.
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
				return w.send(ctx, result{})
			}
			if err := w.write(ctx, w.collect(first)); err != nil {
				return err
			}
		}
	}
}

// collect adds to first the messages that are waiting, up to batchRows.
func (w *writer) collect(first message) batch {
	var b batch
	first.addTo(&b)
	for b.size() < batchRows {
		select {
		case m, ok := <-w.queue:
			if !ok {
				return b
			}
			m.addTo(&b)
		default:
			return b
		}
	}
	return b
}

// write compares one batch with the ledger and sends the result.
func (w *writer) write(ctx context.Context, b batch) error {
	if b.refold {
		if err := w.refold(ctx); err != nil {
			return err
		}
	}
	rows, gone, err := w.latestVersions(ctx, b.pages)
	if err != nil {
		return err
	}
	res, err := w.comparer.compare(ctx, b, rows)
	if err != nil {
		return err
	}
	again, err := w.rereader.reread(ctx, res.older)
	if err != nil {
		return err
	}
	res.add(again)
	w.comparer.addVanished(gone, &res)
	w.endRequests(b)
	w.unsent.add(b)
	if res.empty() && w.unsent.canWait() {
		return nil
	}
	return w.send(ctx, res)
}

// refold folds into the ledger what the topic has behind the acknowledged records:
// another poller wrote it, and lost its lease before.
func (w *writer) refold(ctx context.Context) error {
	if err := w.sender.flush(ctx); err != nil {
		return err
	}
	acked, err := w.folder.refold(ctx, w.sender.acked)
	if err != nil {
		return err
	}
	w.sender.acked = acked
	return nil
}

// latestVersions returns each row of the pages once, in its latest version. It reads
// a row again if two reads that overlap in time differ. The rows that were not at the
// source any more are apart, in gone.
func (w *writer) latestVersions(ctx context.Context, pages []page) (rows, gone []rowVersion, err error) {
	rows, conflicts := w.recent.newest(pages)
	for _, id := range conflicts {
		again, err := w.reader.read(ctx, oda.Window{IDs: schema.OneID(id)}, oda.Tail, schema.OriginScan)
		if err != nil {
			return nil, nil, err
		}
		latest, _ := w.recent.newest([]page{again})
		w.reader.discard(again)
		i := slices.IndexFunc(rows, func(v rowVersion) bool { return v.ID == id })
		switch {
		case i < 0:
		case len(latest) == 0:
			gone = append(gone, rows[i])
			rows = slices.Delete(rows, i, i+1)
		default:
			rows[i].row = latest[0].row
		}
	}
	return rows, gone, nil
}

// endRequests ends the requests of a batch that is compared.
func (w *writer) endRequests(b batch) {
	began := make([]int64, 0, len(b.pages)+len(b.absences))
	for _, p := range b.pages {
		began = append(began, p.began)
	}
	for _, a := range b.absences {
		began = append(began, a.began)
	}
	w.recent.end(began...)
}

// send passes what has been compared to the sender, with the result of the last
// batch.
func (w *writer) send(ctx context.Context, res result) error {
	if w.unsent.empty() {
		return nil
	}
	next := compared{batch: w.unsent, result: res}
	next.progress.Entries, next.progress.Lateness = res.entries, res.lateness.list
	next.progress.Vanished, next.progress.Returned = res.vanished, res.returned
	w.saver.expect(res.entries)
	w.unsent = batch{}
	return w.sender.send(ctx, next)
}

// put waits until the queue takes v, or ctx has ended.
func put[T any](ctx context.Context, queue chan<- T, v T) error {
	select {
	case queue <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waitClosed waits until saved is closed, or ctx has ended.
func waitClosed(ctx context.Context, saved <-chan struct{}) error {
	select {
	case <-saved:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
