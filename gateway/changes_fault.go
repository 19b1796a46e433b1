package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"odastream/stream"
)

// oldCursor is a problem of RFC 9457 with the cursor to go on from.
func oldCursor(r *http.Request, old *stream.TooOldError) []byte {
	// Texts alone cannot fail to be written.
	body, _ := json.Marshal(struct {
		Type     string `json:"type"`
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail"`
		Instance string `json:"instance"`
		Cursor   string `json:"cursor"`
	}{"about:blank", http.StatusText(http.StatusGone), http.StatusGone, old.Error() + ": read the rows again, and go on from the cursor here", r.URL.EscapedPath(), old.Now.String()})
	return body
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
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if f.retryAfter != "" {
		h.Set("Retry-After", f.retryAfter)
	}
	if f.status == http.StatusMethodNotAllowed {
		h.Set("Allow", allowed)
	}
	extend(w, writeWithin)
	w.WriteHeader(f.status)
	if _, err := w.Write(body); err != nil {
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
