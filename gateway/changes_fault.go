package gateway

import (
	"context"
	"errors"
	"net/http"

	"odastream/stream"
)

// oldCursor is a problem of RFC 9457 with the cursor to go on from.
func oldCursor(r *http.Request, old *stream.TooOldError) []byte {
	p := newProblem(r, refuse(http.StatusGone, old.Error()+": read the rows again, and go on from the cursor here"))
	p.Cursor = old.Now.String()
	return p.text()
}

// fail tells the client why there are no changes.
func (c *changes) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to be told
	}
	f := c.faultOf(r.Context(), err)
	body := problem(r, f)
	if old, ok := errors.AsType[*stream.TooOldError](err); ok {
		body = oldCursor(r, old)
	}
	extend(w, writeWithin)
	if err := f.send(w, apiDialect.contentType, body); err != nil {
		c.log.DebugContext(r.Context(), "the client has gone", "err", err)
	}
}

// faultOf returns the fault that an error of the changes is to a client.
func (c *changes) faultOf(ctx context.Context, err error) *fault {
	old, tooOld := errors.AsType[*stream.TooOldError](err)
	switch {
	case tooOld:
		return refuse(http.StatusGone, old.Error())
	case errors.Is(err, stream.ErrNoTopic):
		return refuse(http.StatusNotFound, "entity: "+err.Error())
	case errors.Is(err, stream.ErrUnreachable):
		c.log.WarnContext(ctx, "changes cannot be read", "err", err)
		return &fault{status: http.StatusServiceUnavailable, detail: stream.ErrUnreachable.Error() + " just now; try again", retryAfter: "5"}
	}
	return faultOf(err)
}
