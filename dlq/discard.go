package dlq

import (
	"context"

	"odastream/cache"
)

// Selected returns those dead letters of filter that can be discarded. It changes
// nothing.
func (q *Queue) Selected(ctx context.Context, filter cache.LetterFilter) ([]cache.Letter, error) {
	filter.States = []cache.LetterState{cache.LetterOpen, cache.LetterSuperseded}
	return q.Reader.Letters(ctx, filter)
}

// Discard stores that letters are discarded, and calls discarded with each of them. For
// a letter that got another state in the meantime it changes nothing and calls skipped.
// It ends with the first error of discarded and returns it; what was stored stays
// stored.
func (q *Queue) Discard(ctx context.Context, letters []cache.Letter, discarded, skipped func(Entry) error) error {
	for _, l := range letters {
		when, stored, err := q.Store.SetLetterState(ctx, l.Where(), cache.LetterDiscarded)
		if err != nil {
			return err
		}
		told := skipped
		if stored {
			l.State, l.ChangedAt, told = cache.LetterDiscarded, when, discarded
		}
		if err := told(entryOf(l)); err != nil {
			return err
		}
	}
	return nil
}
