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
// row is not dead-lettered at every look.
const maxRejects = 10_000

// blind tells whether an element of the page could be any row that is not on it:
// then the page proves nothing gone.
func (r reading) blind() bool {
	return slices.ContainsFunc(r.rejects, func(reject oda.Reject) bool { return reject.ID == 0 })
}

// rejected tells whether the row is on the page, broken: it is not gone.
func (r reading) rejected(id int64) bool {
	return slices.ContainsFunc(r.rejects, func(reject oda.Reject) bool { return reject.ID == id })
}

// deadLetter publishes what stood among a batch's rows but is none (invariant 5).
func (s *sender) deadLetter(ctx context.Context, batch []reading) error {
	var letters []stream.DeadLetter
	for _, r := range batch {
		for _, reject := range r.rejects {
			sum := sha256.Sum256(reject.Data)
			if s.rejected[sum] {
				continue
			}
			if len(s.rejected) >= maxRejects {
				clear(s.rejected)
			}
			s.rejected[sum] = true
			letters = append(letters, s.letter(reject))
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

func (s *sender) letter(reject oda.Reject) stream.DeadLetter {
	rec := &kgo.Record{Topic: s.topicName(s.entity), Value: reject.Data}
	if reject.ID != 0 {
		rec.Key = []byte(schema.Key(s.entity, reject.ID))
	}
	return stream.DeadLetter{
		Record: rec, Class: stream.ClassSchema, Err: reject.Reason, Attempts: 1, FailedAt: time.Now(),
	}
}
