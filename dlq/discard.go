package dlq

import (
	"context"

	"odastream/cache"
)

// Selected returns the dead letters that can be discarded of those that filter
// selects. It changes nothing.
func (q *Queue) Selected(ctx context.Context, filter cache.LetterFilter) ([]cache.Letter, error) {
	filter.States = []cache.LetterState{cache.LetterOpen, cache.LetterSuperseded}
	return q.Reader.Letters(ctx, filter)
}

// Discard stores that letters are given up, and calls discarded with each of them.
// One that got another state in the meantime stays as it is: skipped is called with
// it. An error of discarded ends it and is returned; what was stored stays stored.
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
