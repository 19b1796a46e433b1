package capture

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"odastream/checkpoint"
)

// progressStore is the part of the store that progress is saved in.
type progressStore interface {
	Save(ctx context.Context, lease checkpoint.Lease, p checkpoint.Progress) error
}

// saver saves what was acknowledged, batch after batch, while the sender publishes
// the next one. It keeps the entries that are not saved yet, so that the writer can
// compare with them.
type saver struct {
	entity      string
	store       progressStore
	lease       *leaseKeeper
	metrics     *metrics
	status      *entityStatus
	loaded      *atomic.Bool
	wakeRelated func()
	queue       chan compared

	mu      sync.Mutex
	unsaved [][]checkpoint.Entry // of each batch that has some, oldest first
}

// run saves until the queue is closed and empty, or until the first error.
func (s *saver) run(ctx context.Context) error {
	for done := range s.queue {
		if err := s.store.Save(ctx, s.lease.current(), done.progress); err != nil {
			return err
		}
		s.dropUnsaved(done.progress.Entries)
		s.report(done)
		for _, saved := range done.saved {
			close(saved)
		}
	}
	return nil
}

// save passes on a batch whose records are acknowledged. It waits while another one
// is being saved.
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

// pending returns the entries that are not saved yet, batch by batch.
func (s *saver) pending() [][]checkpoint.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unsaved)
}

// dropUnsaved drops the entries of the oldest batch, which are saved.
func (s *saver) dropUnsaved(entries []checkpoint.Entry) {
	if len(entries) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsaved = slices.Delete(s.unsaved, 0, 1)
}

// report counts a batch that is saved, and wakes the tails of related entities.
func (s *saver) report(done compared) {
	for _, p := range done.pages {
		if len(p.rows) > 0 {
			s.metrics.rows.WithLabelValues(s.entity, string(p.origin)).Add(float64(len(p.rows)))
		}
	}
	s.metrics.saved(s.entity, done.result, done.progress)
	if len(done.result.changes) == 0 {
		return
	}
	s.status.publishedMore(len(done.result.changes))
	if s.loaded.Load() {
		s.wakeRelated()
	}
}
