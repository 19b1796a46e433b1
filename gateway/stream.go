package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"odastream/query"
)

const (
	// sendWithin is how long a client may take for a chunk of a file. One that stops reading
	// is cut off, since Postgres keeps old versions of all rows for it.
	sendWithin = 30 * time.Second
	// exportWithin is how long a file may take as a whole.
	exportWithin = time.Hour
	chunk        = 64 << 10
)

// file is an answer that is sent in chunks, while it is read.
type file interface {
	// setHeader says what the answer is.
	setHeader(h http.Header)
	// send writes the answer to w. What it has written is only a part if it fails.
	send(ctx context.Context, w io.Writer) error
}

// sendMoment sends what work writes of one moment of the copy, in chunks.
func sendMoment(ctx context.Context, copy *query.Reader, w io.Writer, work func(query.Moment, io.Writer) error) error {
	out := bufio.NewWriterSize(w, chunk)
	if err := copy.Moment(ctx, func(m query.Moment) error { return work(m, out) }); err != nil {
		return err // without the rest of the chunk: the file has no end
	}
	return out.Flush()
}

// errCut says that an answer ended within its body.
var errCut = errors.New("the answer was cut off")

// stream answers a question in chunks. An answer that has begun and cannot be ended
// is errCut: whoever reads it must not take it for whole.
func (g *Gateway) stream(w http.ResponseWriter, r *http.Request, q question) (status int, err error) {
	now := g.fresh.of(q.of)
	tag := ""
	if now.version != "" {
		tag = tagOf([]byte(strings.Join([]string{r.URL.EscapedPath(), r.URL.RawQuery, now.version}, "\x00")))
	}
	if has := matching(r, tag); has != "" && tag != "" {
		g.metrics.spares.Add(1)
		return g.notModified(w, now, has), nil
	}
	if r.Method == http.MethodHead {
		g.begin(w.Header(), q, now, tag)
		return http.StatusOK, nil
	}
	queued, cancel := context.WithTimeout(r.Context(), g.cfg.Timeout)
	defer cancel()
	leave, err := g.places.enter(queued, q.class)
	if err != nil {
		return 0, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), exportWithin)
	defer cancel()
	out := &chunks{w: w, within: g.sendWithin, begin: func() { g.begin(w.Header(), q, now, tag) }}
	err = q.file.send(ctx, out)
	if err != nil && out.begun {
		g.log.WarnContext(r.Context(), "an answer was cut off", "request", w.Header().Get(requestID), "path", r.URL.Path, "err", err)
		return statusClientClosed, errCut
	}
	return http.StatusOK, err
}

// begin sets the header of a file.
func (g *Gateway) begin(h http.Header, q question, now state, tag string) {
	q.file.setHeader(h)
	g.setFreshness(h, now, tag)
	if tag == "" {
		h.Del("ETag")
	}
}

// chunks writes an answer, each chunk within a time.
type chunks struct {
	w      http.ResponseWriter
	within time.Duration
	begin  func() // sets the header
	begun  bool
}

// Write writes a chunk. Until the first, the answer can still be an error.
func (c *chunks) Write(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		c.begin()
	}
	if err := http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(c.within)); err != nil {
		return 0, fmt.Errorf("bound the time of a chunk: %w", err)
	}
	return c.w.Write(p)
}
