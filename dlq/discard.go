package dlq

import (
	"context"

	"odastream/cache"
)

// Selected returns those dead letters of filter that can be discarded. It changes
// nothing.
func (q *Queue) Selected(ctx context.Context, filter cache.DeadLetterFilter) ([]cache.DeadLetterRow, error) {
	filter.States = []cache.DeadLetterState{cache.DeadLetterOpen, cache.DeadLetterSuperseded}
	return q.Reader.DeadLetters(ctx, filter)
}

// Discard stores that dead letters are discarded, and calls discarded with each of them. For
// a dead letter that got another state in the meantime it changes nothing and calls skipped.
// It ends with the first error of discarded and returns it; what was stored stays
// stored.
func (q *Queue) Discard(ctx context.Context, letters []cache.DeadLetterRow, discarded, skipped func(Entry) error) error {
	for _, l := range letters {
		when, stored, err := q.Store.SetDeadLetterState(ctx, l.ID(), cache.DeadLetterDiscarded)
		if err != nil {
			return err
		}
		report := skipped
		if stored {
			l.State, l.ChangedAt, report = cache.DeadLetterDiscarded, when, discarded
		}
		if err := report(entryOf(l)); err != nil {
			return err
		}
	}
	return nil
}
