package capture

import (
	"context"
	"slices"
	"sync"

	"odastream/checkpoint"
)

// saver saves what was acknowledged, batch after batch, while the sender publishes
// the next one. What is not saved yet it keeps, so that the writer compares with it.
type saver struct {
	*session
	queue chan compared

	mu      sync.Mutex
	unsaved [][]checkpoint.Entry // of each batch that has some, oldest first
}

func newSaver(s *session) *saver {
	return &saver{session: s, queue: make(chan compared)}
}

// run saves until the queue is closed and empty, or the first error.
func (s *saver) run(ctx context.Context) error {
	for done := range s.queue {
		if err := s.store.Save(ctx, s.lease.current(), done.progress); err != nil {
			return err
		}
		s.forget(done.progress.Entries)
		s.note(done)
		for _, r := range done.batch {
			if r.saved != nil {
				close(r.saved)
			}
		}
	}
	return nil
}

// save hands over a batch whose records are acknowledged; it waits while another is
// being saved.
func (s *saver) save(ctx context.Context, done compared) error {
	return put(ctx, s.queue, done)
}

func (s *saver) close() { close(s.queue) }

// expect keeps the entries of a batch until it is saved.
func (s *saver) expect(entries []checkpoint.Entry) {
	if len(entries) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsaved = append(s.unsaved, entries)
}

// pending is what is not saved yet, batch by batch. It must be taken before the
// ledger is asked: what is saved in between is in one of the two.
func (s *saver) pending() [][]checkpoint.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unsaved)
}

// forget drops the oldest batch's entries, which are saved.
func (s *saver) forget(entries []checkpoint.Entry) {
	if len(entries) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsaved = slices.Delete(s.unsaved, 0, 1)
}

// note tells those who watch or wait what a batch did.
func (s *saver) note(done compared) {
	for _, r := range done.batch {
		if len(r.rows) > 0 {
			s.metrics.rows.WithLabelValues(s.entity, string(r.origin)).Add(float64(len(r.rows)))
		}
	}
	s.metrics.saved(s.entity, done.out, done.progress)
	if len(done.out.changes) == 0 {
		return
	}
	s.status.publishedMore(len(done.out.changes))
	if s.loaded.Load() {
		s.wakeRelated(s.entity)
	}
}
