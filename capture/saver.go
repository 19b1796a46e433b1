package capture

import (
	"context"
	"maps"
	"sync"

	"odastream/checkpoint"
)

// written is a batch whose records are acknowledged.
type written struct {
	batch    []reading
	out      outcome
	progress checkpoint.Progress
}

// saver saves what the writer had acknowledged, batch after batch, while the
// writer publishes the next one. What is not saved yet it keeps, so that the
// writer compares with it.
type saver struct {
	*session
	queue chan written

	mu      sync.Mutex
	unsaved map[int64]checkpoint.Entry
}

func newSaver(s *session) *saver {
	return &saver{session: s, queue: make(chan written, 1), unsaved: map[int64]checkpoint.Entry{}}
}

// run saves until the queue is closed and empty, or the first error.
func (s *saver) run(ctx context.Context) error {
	for w := range s.queue {
		if err := s.store.Save(ctx, s.lease.current(), w.progress); err != nil {
			return err
		}
		s.forget(w.progress.Entries)
		s.note(w)
		for _, r := range w.batch {
			if r.saved != nil {
				close(r.saved)
			}
		}
	}
	return nil
}

// save queues a batch; it waits while two are queued or being saved.
func (s *saver) save(ctx context.Context, w written) error {
	s.mu.Lock()
	for _, e := range w.progress.Entries {
		s.unsaved[e.ID] = e
	}
	s.mu.Unlock()
	select {
	case s.queue <- w:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settled returns once all that was queued is saved.
func (s *saver) settled(ctx context.Context) error {
	saved := make(chan struct{})
	if err := s.save(ctx, written{batch: []reading{{saved: saved}}}); err != nil {
		return err
	}
	return closed(ctx, saved)
}

func (s *saver) close() { close(s.queue) }

// pending is a copy of what is not saved yet. It must be taken before the ledger is
// asked: what is saved in between is in one of the two.
func (s *saver) pending() map[int64]checkpoint.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.unsaved)
}

// forget drops entries that are saved, unless a later version waits.
func (s *saver) forget(entries []checkpoint.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if s.unsaved[e.ID].Seq == e.Seq {
			delete(s.unsaved, e.ID)
		}
	}
}

// note tells those who watch or wait what a batch did.
func (s *saver) note(w written) {
	for _, r := range w.batch {
		if len(r.rows) > 0 {
			s.metrics.rows.WithLabelValues(s.entity, string(r.origin)).Add(float64(len(r.rows)))
		}
	}
	s.metrics.saved(s.entity, w.out, w.progress)
	if len(w.out.changes) == 0 {
		return
	}
	s.status.publishedMore(len(w.out.changes))
	if s.loaded.Load() {
		s.wakeRelated(s.entity)
	}
}
