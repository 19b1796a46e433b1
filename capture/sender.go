package capture

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// maxRejects is how many different rejects a session remembers, so that a broken
// row is not dead-lettered each time it is read.
const maxRejects = 10_000

// publisher writes to topics; *stream.Publisher is one.
type publisher interface {
	Publish(ctx context.Context, changes []schema.Change) ([]stream.Ack, error)
	DeadLetter(ctx context.Context, letters ...stream.DeadLetter) error
	Expect(entity string, partitions int)
	Bury(ctx context.Context, misplaced []*kgo.Record) error
}

// compared is a batch and what its comparison found, on its way to the topic and
// from there to the store.
type compared struct {
	batch
	result result
}

// sender publishes what the writer found to differ, batch after batch, while the
// writer compares the next one.
type sender struct {
	entity    string
	topic     string
	publisher publisher
	lease     *leaseKeeper
	metrics   *metrics
	queue     chan compared
	saver     *saver
	acked     *positions
	rejected  map[[32]byte]bool // dead-lettered in this session, by SHA-256
}

// run publishes until the queue is closed and empty, or until the first error.
func (s *sender) run(ctx context.Context) error {
	defer s.saver.close()
	for next := range s.queue {
		if err := s.publishDeadLetters(ctx, next.pages); err != nil {
			return err
		}
		if len(next.result.changes) > 0 {
			if err := s.publish(ctx, next.result.changes); err != nil {
				return err
			}
			next.progress.Seq = next.result.changes[len(next.result.changes)-1].Seq
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

// publish publishes changes in chunks of batchRows. Before each, the lease must
// outlive a delivery.
func (s *sender) publish(ctx context.Context, changes []schema.Change) error {
	for chunk := range slices.Chunk(changes, batchRows) {
		if err := s.lease.ensure(ctx); err != nil {
			return err
		}
		acks, err := s.publisher.Publish(ctx, chunk)
		if err != nil {
			return err
		}
		s.acked.add(acks)
	}
	return nil
}

// publishDeadLetters publishes the rejects of pages that this session has not
// published yet.
func (s *sender) publishDeadLetters(ctx context.Context, pages []page) error {
	// Invariant 5: nothing is dropped.
	var letters []stream.DeadLetter
	for _, p := range pages {
		for _, reject := range p.rejects {
			sum := sha256.Sum256(reject.Data)
			if s.rejected[sum] {
				continue
			}
			if len(s.rejected) >= maxRejects {
				clear(s.rejected)
			}
			s.rejected[sum] = true
			letters = append(letters, s.newDeadLetter(reject))
		}
	}
	if len(letters) == 0 {
		return nil
	}
	s.metrics.rejects.WithLabelValues(s.entity).Add(float64(len(letters)))
	if err := s.publisher.DeadLetter(ctx, letters...); err != nil {
		return fmt.Errorf("dead-letter %d broken rows of %s: %w", len(letters), s.entity, err)
	}
	return nil
}

func (s *sender) newDeadLetter(reject oda.Reject) stream.DeadLetter {
	rec := &kgo.Record{Topic: s.topic, Value: reject.Data}
	if reject.ID != 0 {
		rec.Key = []byte(schema.Key(s.entity, reject.ID))
	}
	return stream.DeadLetter{
		Record: rec, Class: stream.ClassSchema, Err: reject.Reason, Attempts: 1, FailedAt: time.Now(),
	}
}

// send passes a batch to the sender. It waits while another one is being published.
func (s *sender) send(ctx context.Context, next compared) error {
	return put(ctx, s.queue, next)
}

// flush returns once all that was sent before is saved.
func (s *sender) flush(ctx context.Context) error {
	saved := make(chan struct{})
	if err := s.send(ctx, compared{batch: batch{saved: []chan<- struct{}{saved}}}); err != nil {
		return err
	}
	return waitClosed(ctx, saved)
}

func (s *sender) close() { close(s.queue) }
