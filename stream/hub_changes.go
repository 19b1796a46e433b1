package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"odastream/schema"
)

// TooOldError is returned for a cursor that no longer says which changes are new. Its
// reader must read the rows anew, and go on from Now.
type TooOldError struct {
	Topic string // of which changes are missing
	Why   string
	Now   Cursor // where the topics ended when this was noticed
}

// Error names the topic and says why.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("cursor is too old: topic %s: %s", e.Topic, e.Why)
}

// Page is some changes that follow a cursor.
type Page struct {
	// Changes are those of one row in order, and those of different topics roughly as they
	// arrived. A delete stands here once, without its tombstone.
	Changes []schema.Change
	Next    Cursor // the place after them
	More    bool   // there are more already, whether or not the hub has them yet
}

// Start returns the cursor before everything that the topics of entities hold: at least
// the last change of each row. An entity may be named as schema.Lookup takes it. Errors
// wrap ErrNoTopic for an entity that the hub does not follow, or ErrUnreachable.
func (h *Hub) Start(entities []string) (Cursor, error) {
	return h.begin(entities, func(p *hubPartition) int64 { return p.start })
}

// Now returns the cursor after everything that is on the topics of entities. Errors are
// those of Start.
func (h *Hub) Now(entities []string) (Cursor, error) {
	return h.begin(entities, func(p *hubPartition) int64 { return max(p.next, p.end) })
}

func (h *Hub) begin(entities []string, at func(*hubPartition) int64) (Cursor, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	r, err := h.reader(entities)
	if err != nil {
		return Cursor{}, err
	}
	for _, p := range r.parts {
		p.at = at(p.hubPartition)
	}
	return r.cursor(), nil
}

// fetchedWithin is how long Changes waits for changes that the topics are known to hold,
// whatever it is told to wait.
const fetchedWithin = time.Second

// readTries is how often Changes reads from Kafka before it returns the error.
const readTries = 4

// Changes returns what follows a cursor, at most limit changes. If there is nothing yet
// it waits for up to wait, and then returns an empty page with a cursor to go on from. It
// waits a second at least for changes that the topics hold and the hub has not fetched.
// entities are those that the cursor was made for, or some of them.
//
// Changes that were compacted away before they were read do not come: a newer one of
// their rows does. Records that are no changes of their topic's entity are counted and
// left out.
//
// Errors to branch on: *TooOldError, ErrUnreachable, ErrNoTopic, that of ctx.
func (h *Hub) Changes(ctx context.Context, entities []string, after Cursor, limit int, wait time.Duration) (Page, error) {
	deadline := time.Now().Add(wait)
	for try := 1; ; {
		r, err := h.resolve(ctx, entities, after)
		if err != nil {
			return Page{}, err
		}
		page, err := h.next(ctx, r, limit, deadline)
		switch {
		case err == nil:
			return page, nil
		case ctx.Err() == nil && errors.Is(err, errTopicsChanged):
			after = r.cursor() // what was passed up to now stays passed
			_ = backoff(ctx, 0)
		case ctx.Err() == nil && try < readTries && errors.Is(err, errReadAgain):
			h.askAgain()
			_ = backoff(ctx, 0)
			try++
		default:
			return Page{}, err
		}
	}
}

// askAgain has the topics looked at soon.
func (h *Hub) askAgain() {
	select {
	case h.stale <- struct{}{}:
	default:
	}
}

// next waits for changes after the place of r. It returns errTopicsChanged if a topic of r
// is no longer followed.
func (h *Hub) next(ctx context.Context, r *hubReader, limit int, deadline time.Time) (Page, error) {
	fetched := time.Now().Add(fetchedWithin)
	if fetched.Before(deadline) {
		fetched = deadline
	}
	for {
		if err := h.readBehind(ctx, r, limit); err != nil {
			return Page{}, err
		}
		more, news, err := h.take(r, limit)
		until := deadline
		if more == toFetch {
			until = fetched
		}
		switch {
		case err != nil:
			return Page{}, err
		case len(r.changes) > 0 || more != toRead && !time.Now().Before(until):
			return r.page(more), nil
		case more == toRead:
			continue
		}
		if err := await(ctx, news, until); err != nil {
			return Page{}, err
		}
	}
}

// await returns when news is closed, or at a time. The error is that of ctx.
func await(ctx context.Context, news <-chan struct{}, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-news:
	}
	return nil
}

// page ends the page of r. A reader that is at the end of all topics has missed nothing
// up to now.
func (r *hubReader) page(more remaining) Page {
	if more == nothing {
		r.since = time.Now()
	}
	return Page{Changes: r.changes, Next: r.cursor(), More: more != nothing}
}

// remaining is what follows the place of a reader.
type remaining int

const (
	nothing remaining = iota
	toRead            // changes that it can read now
	toFetch           // changes that the topics hold and the hub does not have yet
)

// take takes what is in memory for r. It reports what is left, and returns a channel that
// is closed when there is something new. The error says why nothing will come.
func (h *Hub) take(r *hubReader, limit int) (more remaining, news <-chan struct{}, err error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	switch {
	case r.take(limit):
		more = toRead
	case r.unfetched():
		more = toFetch
	}
	switch {
	case len(r.changes) > 0:
	case r.replaced():
		err = errTopicsChanged
	case more != toRead:
		err = h.err()
	}
	return more, h.news, err
}
