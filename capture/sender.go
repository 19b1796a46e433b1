package capture

import (
	"context"
	"slices"

	"odastream/schema"
)

// sender publishes what the writer found to differ, batch after batch, while the
// writer holds the next one against the ledger.
type sender struct {
	*session
	queue    chan compared
	saver    *saver
	acked    *positions
	rejected map[[32]byte]bool // dead-lettered in this session, by SHA-256
}

func newSender(s *session, saver *saver, acked *positions) *sender {
	return &sender{session: s, queue: make(chan compared), saver: saver, acked: acked, rejected: map[[32]byte]bool{}}
}

// run publishes until the queue is closed and empty, or the first error: what was
// published then is unknown, and only a fold can tell.
func (s *sender) run(ctx context.Context) error {
	defer s.saver.close()
	for next := range s.queue {
		if err := s.deadLetter(ctx, next.batch); err != nil {
			return err
		}
		if len(next.out.changes) > 0 {
			if err := s.publish(ctx, next.out.changes); err != nil {
				return err
			}
			next.progress.Seq = next.out.changes[len(next.out.changes)-1].Seq
			next.progress.Positions = s.acked.all()
			next.progress.Partitions = len(next.progress.Positions)
		}
		// Invariant 1: published and acknowledged, then saved.
		if err := s.saver.save(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

// publish sends changes, so many at a time as are sure to be through in time, while
// the lease has longer to run than that may take.
func (s *sender) publish(ctx context.Context, changes []schema.Change) error {
	for some := range slices.Chunk(changes, batchRows) {
		if err := s.lease.ensure(ctx); err != nil {
			return err
		}
		acks, err := s.publisher.Publish(ctx, some)
		if err != nil {
			return err
		}
		s.acked.add(acks)
	}
	return nil
}

// send hands over a batch; it waits while another is being published.
func (s *sender) send(ctx context.Context, next compared) error {
	return put(ctx, s.queue, next)
}

// settled returns once all that was handed over before is saved.
func (s *sender) settled(ctx context.Context) error {
	saved := make(chan struct{})
	if err := s.send(ctx, compared{batch: []reading{{saved: saved}}}); err != nil {
		return err
	}
	return closed(ctx, saved)
}

func (s *sender) close() { close(s.queue) }
