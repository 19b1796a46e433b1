package oda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxPage is the most that is read of a page, decompressed: a hundred times
	// the 165 kB of a full page of Sag, the largest that was measured. So four
	// requests at once take less than 200 MiB, whatever the source sends.
	maxPage = 16 << 20
	// maxMetadata is the most that is read of $metadata: ten times the largest
	// that is known, the 177 kB of 2016.
	maxMetadata = 2 << 20
	// maxHeaders is the most that is read of an answer's headers. The source
	// sends less than 1 KiB.
	maxHeaders = 64 << 10
	// maxPooled is the largest buffer that is kept for the next answer.
	maxPooled = 1 << 20
	// maxFaultBody is the most that is read of an answer that is an error.
	maxFaultBody = 64 << 10
)

// reply is an answer with status 200 and a body of the right type, read whole.
type reply struct {
	body           []byte
	date           time.Time
	sent, received time.Time
}

// exchange sends one request and reads its answer whole. The error is an *Error
// without what the client knows of the request.
func (c *Client) exchange(ctx context.Context, q question) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.url, nil)
	if err != nil {
		return reply{}, &Error{Kind: ErrBadQuery, Cause: err}
	}
	req.Header.Set("Accept", q.accept)
	req.Header.Set("User-Agent", c.agent)
	// No Accept-Encoding of our own: the transport then asks for gzip itself
	// and undoes it, and whatever else comes is seen in Content-Encoding.
	r := reply{sent: time.Now()}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, sendFault(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if f := redirected(resp); f != nil {
		_, _ = io.CopyN(io.Discard, resp.Body, maxFaultBody) // the connection can be used again
		return reply{}, f
	}
	if resp.StatusCode != http.StatusOK {
		return reply{}, statusFault(resp)
	}
	if f := checkType(resp.Header, q.accept); f != nil {
		// Read on a little, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, resp.Body, maxFaultBody)
		f.Status = resp.StatusCode
		return reply{}, f
	}
	if r.body, err = c.read(resp.Body, q.limit); err != nil {
		return reply{}, bodyFault(err)
	}
	r.received = time.Now()
	// No Date, or nonsense, is a zero time.
	r.date, _ = http.ParseTime(resp.Header.Get("Date"))
	return r, nil
}

// read reads a body of up to limit bytes into memory of just its size.
func (c *Client) read(body io.Reader, limit int) ([]byte, error) {
	buf := c.takeBuffer()
	defer func() {
		if cap(*buf) <= maxPooled {
			c.buffers.Put(buf)
		}
	}()
	var err error
	if *buf, err = fill((*buf)[:0], body, limit); err != nil {
		return nil, err
	}
	return bytes.Clone(*buf), nil
}

// fill reads body to its end into buf, which grows no further than limit and one
// byte: that one shows a body above the limit, and is ErrTooLarge.
func fill(buf []byte, body io.Reader, limit int) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(max(2*cap(buf), maxFaultBody), limit+1))
			copy(grown, buf)
			buf = grown
		}
		n, err := body.Read(buf[len(buf):min(cap(buf), limit+1)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return buf, ErrTooLarge
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// sendFault gives its kind to what went wrong before there was an answer.
func sendFault(err error) *Error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err // what it adds, the address, is said by Error
	}
	opErr, ok := errors.AsType[*net.OpError](err)
	if dialing := ok && opErr.Op == "dial"; isTimeout(err) && !dialing {
		return timedOut(err)
	}
	return &Error{Kind: ErrUnreachable, Cause: detach(err)}
}

// bodyFault gives its kind to what went wrong while a body was read.
func bodyFault(err error) *Error {
	switch {
	case errors.Is(err, ErrTooLarge):
		return &Error{Kind: ErrTooLarge}
	case isTimeout(err):
		return timedOut(err)
	}
	return &Error{Kind: ErrTruncated, Cause: err}
}

func timedOut(err error) *Error { return &Error{Kind: ErrTimeout, Cause: detach(err)} }

// detach keeps of the end of a try's own context the words alone: a caller who
// looks for context.DeadlineExceeded means the end of his own.
func detach(err error) error {
	if isEnd(err) {
		return errors.New(err.Error())
	}
	return err
}

// isTimeout tells whether err is a time-out of a try or of its connection.
func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && netErr.Timeout()
}

// statusFault reads what an answer other than 200 says. Its body may be HTML,
// empty, or an odata.error; the status alone decides the kind.
func statusFault(resp *http.Response) *Error {
	f := &Error{
		Kind:       statusKind(resp.StatusCode),
		Status:     resp.StatusCode,
		RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	// A body that cannot be read takes nothing away from the status.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxFaultBody))
	var said struct {
		Error jsontext.Value `json:"odata.error"`
	}
	if json.Unmarshal(body, &said) == nil && len(said.Error) > 0 {
		return spoken(f, said.Error)
	}
	return f
}

// statusKind sorts the statuses by who has to act.
func statusKind(status int) error {
	switch {
	case status == http.StatusNotFound || status == http.StatusGone:
		return ErrNotFound
	case status == http.StatusBadRequest:
		return ErrBadQuery
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout:
		return ErrServer
	case status == http.StatusNotImplemented || status >= 400 && status < 500:
		return ErrRefused
	case status >= 500:
		return ErrServer
	}
	return ErrNotOData
}

// spoken adds to f what an odata.error says.
func spoken(f *Error, odataError []byte) *Error {
	var said struct {
		Code    string `json:"code"`
		Message struct {
			Value string `json:"value"`
		} `json:"message"`
	}
	if err := json.Unmarshal(odataError, &said); err != nil {
		f.Cause = fmt.Errorf("read odata.error: %w", err)
		return f
	}
	f.Code, f.Message = clip(said.Code), clip(said.Message.Value)
	return f
}

// checkType sees that an answer is of the type asked for, and not encoded in a
// way that was not.
func checkType(h http.Header, accept string) *Error {
	if encoding := h.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return fault(ErrNotOData, "content encoding %q was not asked for", encoding)
	}
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || !strings.EqualFold(kind, accept) {
		return fault(ErrNotOData, "content type is %q, want %s", h.Get("Content-Type"), accept)
	}
	return nil
}
