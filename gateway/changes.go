package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"odastream/schema"
	"odastream/stream"
)

// Limits of a request for changes.
const (
	changesDefault = 1000
	changesMost    = 10_000
	waitMost       = time.Minute
	heartbeat      = 15 * time.Second // between two signs of life of an event stream
	writeWithin    = 15 * time.Second // a client that takes longer to read is cut off
	eventsAtOnce   = 100              // of one page of an event stream
	retryAway      = 5 * time.Second  // between two tries while Kafka is away
	streamsMost    = 5000             // event streams and long polls at once
	changesPath    = apiRoot + "/changes"
	resyncEvent    = "resync"
	changeEvent    = "change"
	eventStream    = "text/event-stream"
)

// changeSource is where changes come from: a *stream.Hub.
type changeSource interface {
	Start(entities []string) (stream.Cursor, error)
	Now(entities []string) (stream.Cursor, error)
	Changes(ctx context.Context, entities []string, after stream.Cursor, limit int, wait time.Duration) (stream.Page, error)
}

// changes answers /v1/changes: changes as they come, as a page of JSON or as server-sent
// events. A client is its cursor: nothing is kept for it between two requests.
type changes struct {
	source   changeSource
	entities []string // if the client names none
	log      *slog.Logger
	places   chan struct{}
	within   time.Duration // how long a client may take to read
}

// newChanges returns a handler that gives the changes of entities. It must not stand
// behind a compressor: events would wait in it.
func newChanges(source changeSource, entities []string, log *slog.Logger) *changes {
	return &changes{source: source, entities: entities, log: log, places: make(chan struct{}, streamsMost), within: writeWithin}
}

// besideChanges gives requests for changes to ours, and all others to next.
func besideChanges(next, ours http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == changesPath {
			ours.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// changesRequest is a checked request.
type changesRequest struct {
	entities []string
	after    stream.Cursor
	limit    int
	wait     time.Duration
	events   bool
}

// ServeHTTP answers a request.
func (c *changes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeader(w.Header(), apiDialect)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	default:
		c.fail(w, r, errBusy)
		return
	}
	req, err := c.read(r)
	switch {
	case err != nil:
		c.fail(w, r, err)
	case req.events:
		c.stream(w, r, req)
	default:
		c.page(w, r, req)
	}
}

// read checks a request.
func (c *changes) read(r *http.Request) (req changesRequest, err error) {
	if f := refusal(r); f != nil {
		return req, f
	}
	values := r.URL.Query()
	for name := range values {
		if !slices.Contains([]string{"entity", "after", "limit", "wait"}, name) {
			return req, refuse(http.StatusBadRequest, "there is no parameter "+strconv.Quote(name)+": allowed are entity, after, limit and wait")
		}
	}
	req.events = strings.Contains(r.Header.Get("Accept"), eventStream)
	if req.entities, err = c.named(values["entity"]); err != nil {
		return req, err
	}
	if req.limit, err = limitOf(values.Get("limit"), changesDefault, changesMost); err != nil {
		return req, err
	}
	if req.wait, err = waitFor(values.Get("wait")); err != nil {
		return req, err
	}
	if r.Method == http.MethodHead {
		req.wait = 0
	}
	after := values.Get("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" && req.events {
		after = last
	}
	req.after, err = c.begin(after, req.entities)
	return req, err
}

// named returns the entities that a request names.
func (c *changes) named(values []string) ([]string, error) {
	var names []string
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			e, err := schema.Lookup(name)
			if err != nil {
				return nil, refuse(http.StatusBadRequest, "entity: "+err.Error())
			}
			names = append(names, e.Name)
		}
	}
	if len(names) == 0 {
		return c.entities, nil
	}
	return names, nil
}

func limitOf(text string, otherwise, most int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, refuse(http.StatusBadRequest, "limit: want a number from 1 to "+strconv.Itoa(most))
	}
	return n, nil
}

func waitFor(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > waitMost {
		return 0, refuse(http.StatusBadRequest, "wait: want a time from 0s to "+waitMost.String()+", such as 30s")
	}
	return d, nil
}

// begin returns the cursor after which a request begins.
func (c *changes) begin(after string, entities []string) (stream.Cursor, error) {
	switch after {
	case "", "now":
		return c.source.Now(entities)
	case "start":
		return c.source.Start(entities)
	}
	cursor, err := stream.ParseCursor(after)
	if err != nil {
		return cursor, refuse(http.StatusBadRequest, "after: want start, now, or the cursor of an earlier answer")
	}
	return cursor, nil
}

// page answers with a page of JSON.
func (c *changes) page(w http.ResponseWriter, r *http.Request, req changesRequest) {
	// The server's own limit for an answer may be shorter than the wait.
	extend(w, req.wait+c.within)
	page, err := c.source.Changes(r.Context(), req.entities, req.after, req.limit, req.wait)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	body := []byte(`{"changes":[`)
	for i, change := range page.Changes {
		if i > 0 {
			body = append(body, ',')
		}
		body = change.AppendJSON(body)
	}
	body = append(body, `],"cursor":"`+page.Next.String()+`","more":`...)
	body = append(strconv.AppendBool(body, page.More), '}')
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	extend(w, c.within)
	if _, err := w.Write(body); err != nil {
		c.log.DebugContext(r.Context(), "the client has gone", "err", err)
	}
}

// extend lets the answer take until d from now.
func extend(w http.ResponseWriter, d time.Duration) {
	// A writer that has no deadline, as in tests, needs none.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}

// stream answers with events until the client goes, or stops reading.
func (c *changes) stream(w http.ResponseWriter, r *http.Request, req changesRequest) {
	h := w.Header()
	h.Set("Content-Type", eventStream)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s := eventWriter{w: w, control: http.NewResponseController(w), within: c.within}
	if err := s.send(place("changes follow", req.after)); err != nil || r.Method == http.MethodHead {
		return
	}
	for at := req.after; ; {
		extend(w, heartbeat+2*c.within)
		page, err := c.source.Changes(r.Context(), req.entities, at, min(req.limit, eventsAtOnce), heartbeat)
		old, tooOld := errors.AsType[*stream.TooOldError](err)
		switch {
		case err == nil:
			at, err = page.Next, s.send(events(page))
		case tooOld:
			at, err = old.Now, s.send(event(nil, resyncEvent, old.Now.String(), oldCursor(r, old)))
		case errors.Is(err, stream.ErrClosed): // the gateway ends
		case errors.Is(err, stream.ErrUnreachable):
			if err = s.send([]byte(": Kafka cannot be reached\n\n")); err == nil {
				err = pauseFor(r.Context(), retryAway)
			}
		}
		if err != nil {
			c.log.DebugContext(r.Context(), "an event stream has ended", "err", err)
			return
		}
	}
}

func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// eventWriter sends events at once, and gives up on a client that does not read.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	within  time.Duration
}

func (s eventWriter) send(text []byte) error {
	extend(s.w, s.within)
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}

// events are the changes of a page, or a heartbeat. The last one has the cursor: a client
// that is cut off before it has read that one gets the others again.
func events(page stream.Page) []byte {
	if len(page.Changes) == 0 {
		return place("", page.Next)
	}
	var out, data []byte
	for i, change := range page.Changes {
		id := ""
		if i == len(page.Changes)-1 {
			id = page.Next.String()
		}
		data = change.AppendJSON(data[:0])
		out = event(out, changeEvent, id, data)
	}
	return out
}

// place is no event: it tells a client the cursor to go on from. One that is cut off before
// its first event would otherwise begin anew, and miss what comes meanwhile.
func place(comment string, at stream.Cursor) []byte {
	return []byte(": " + comment + "\nid: " + at.String() + "\n\n")
}

// event appends an event. Line breaks in data are white space between members: a JSON
// text has none inside.
func event(out []byte, name, id string, data []byte) []byte {
	if id != "" {
		out = append(append(append(out, "id: "...), id...), '\n')
	}
	out = append(append(append(out, "event: "...), name...), "\ndata: "...)
	for _, b := range data {
		if b == '\n' || b == '\r' {
			b = ' '
		}
		out = append(out, b)
	}
	return append(out, "\n\n"...)
}
