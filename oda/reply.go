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
	// maxPage limits a page's decompressed bytes: a hundred times the 165 kB of a full
	// page of Sag, the largest measured. Four concurrent requests then take less than
	// 200 MiB, whatever the source sends.
	maxPage = 16 << 20
	// maxMetadata limits the bytes of $metadata: ten times the largest known, the 177
	// kB of 2016.
	maxMetadata = 2 << 20
	// maxHeaders limits the bytes of an answer's headers. The source sends less than 1
	// KiB.
	maxHeaders = 64 << 10
	// maxPooled is the largest buffer that the pool keeps.
	maxPooled = 1 << 20
	// maxFaultBody limits the bytes that are read of an error answer.
	maxFaultBody = 64 << 10
)

// reply is an answer with status 200 and a body of the right type, read whole.
type reply struct {
	body           []byte
	date           time.Time
	sent, received time.Time
}

// exchange sends one request and reads the whole answer. The error is an *Error without
// the request's set and address.
func (c *Client) exchange(ctx context.Context, q request) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.url, nil)
	if err != nil {
		return reply{}, &Error{Kind: ErrBadQuery, Cause: err}
	}
	req.Header.Set("Accept", q.accept)
	req.Header.Set("User-Agent", c.agent)
	// Do not set Accept-Encoding: the transport then asks for gzip and decompresses it,
	// and any other encoding shows in Content-Encoding.
	r := reply{sent: time.Now()}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, sendFault(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if f := redirectOf(resp); f != nil {
		_, _ = io.CopyN(io.Discard, resp.Body, maxFaultBody) // so that the connection can be reused
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
	// A missing or malformed Date gives the zero time.
	r.date, _ = http.ParseTime(resp.Header.Get("Date"))
	return r, nil
}

// read reads a body of up to limit bytes into memory of exactly its size.
func (c *Client) read(body io.Reader, limit int) ([]byte, error) {
	buf := c.getBuffer()
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

// fill reads body to its end into buf, which grows to limit plus one byte at most. If
// that byte is read, the body is above the limit: ErrTooLarge.
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

// sendFault classifies an error before the answer.
func sendFault(err error) *Error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err // it adds the address, which Error names
	}
	opErr, ok := errors.AsType[*net.OpError](err)
	if dialing := ok && opErr.Op == "dial"; isTimeout(err) && !dialing {
		return timeoutError(err)
	}
	return &Error{Kind: ErrUnreachable, Cause: textOnly(err)}
}

// bodyFault classifies an error of reading the body.
func bodyFault(err error) *Error {
	switch {
	case errors.Is(err, ErrTooLarge):
		return &Error{Kind: ErrTooLarge}
	case isTimeout(err):
		return timeoutError(err)
	}
	return &Error{Kind: ErrTruncated, Cause: err}
}

func timeoutError(err error) *Error { return &Error{Kind: ErrTimeout, Cause: textOnly(err)} }

// textOnly keeps only the text of an error of the try's own context. A caller that checks
// for context.DeadlineExceeded means its own context.
func textOnly(err error) error {
	if isEnd(err) {
		return errors.New(err.Error())
	}
	return err
}

// isTimeout reports whether err is a timeout of a try or of its connection.
func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && netErr.Timeout()
}

// statusFault returns the error of an answer other than 200. The body may be HTML,
// empty, or an odata.error; only the status decides the kind.
func statusFault(resp *http.Response) *Error {
	f := &Error{
		Kind:       statusKind(resp.StatusCode),
		Status:     resp.StatusCode,
		RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	// If the body cannot be read, the status still counts.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxFaultBody))
	var answer struct {
		Error jsontext.Value `json:"odata.error"`
	}
	if json.Unmarshal(body, &answer) == nil && len(answer.Error) > 0 {
		return addODataError(f, answer.Error)
	}
	return f
}

// statusKind classifies the statuses by who has to act.
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

// addODataError adds the text of an odata.error to f.
func addODataError(f *Error, odataError []byte) *Error {
	var content struct {
		Code    string `json:"code"`
		Message struct {
			Value string `json:"value"`
		} `json:"message"`
	}
	if err := json.Unmarshal(odataError, &content); err != nil {
		f.Cause = fmt.Errorf("read odata.error: %w", err)
		return f
	}
	f.Code, f.Message = clip(content.Code), clip(content.Message.Value)
	return f
}

// checkType checks that an answer has the requested type and no other encoding.
func checkType(h http.Header, accept string) *Error {
	if encoding := h.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return fault(ErrNotOData, "content encoding %q was not requested", encoding)
	}
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || !strings.EqualFold(kind, accept) {
		return fault(ErrNotOData, "content type is %q, want %s", h.Get("Content-Type"), accept)
	}
	return nil
}
