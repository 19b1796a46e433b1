package oda

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// question is one request before it is sent.
type request struct {
	set    string
	url    string
	accept string
	lane   Lane
	limit  int // most bytes of the answer, decompressed
	// check reads an answer. Its error is an *Error and fails the try. It can be called
	// more than once.
	check func(reply) error
}

// fault fills in f's set and address.
func (q request) fault(f *Error) *Error {
	f.Set, f.URL, f.Tries = q.set, "", max(f.Tries, 1)
	if u, err := url.Parse(q.url); err == nil {
		f.URL = public(u)
	}
	return f
}

// ask sends a request until it is answered or another try cannot help.
func (c *Client) ask(ctx context.Context, q request) error {
	tries := 0
	err := c.retry.WithContext(ctx).Run(func() error {
		tries++
		f := c.follow(ctx, q)
		if f == nil {
			return nil
		}
		f.Tries = tries
		f.final = errors.Is(f.Kind, ErrTimeout) && tries >= maxTimeouts
		return f
	})
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	// The policy returns the context's own error if the context ended during a wait.
	return q.fault(&Error{Kind: err, Tries: tries})
}

// try sends a request once, when the budget and the breaker allow it. It is the only
// function that sends, reads the whole body and checks it. Only a checked page is a
// success, also for the breaker.
func (c *Client) try(ctx context.Context, q request) *Error {
	began := time.Now()
	if err := c.budget.acquire(ctx, q.set, q.lane); err != nil {
		return q.fault(&Error{Kind: err})
	}
	defer c.budget.release(q.set, q.lane)
	c.metrics.waited.WithLabelValues(q.lane.String()).Observe(time.Since(began).Seconds())
	if !c.breaker.TryAcquirePermit() {
		return q.fault(c.openError())
	}
	sent := time.Now()
	f := c.asError(ctx, q, c.once(ctx, q))
	c.recordOutcome(q.set, f)
	c.metrics.request(q.set, time.Since(sent), f)
	return f
}

// once sends a request and checks the answer.
func (c *Client) once(ctx context.Context, q request) error {
	r, err := c.exchange(ctx, q)
	if err != nil {
		return err
	}
	err = q.check(r)
	if f, ok := errors.AsType[*Error](err); ok {
		f.Status = http.StatusOK
	}
	return err
}

// asError makes every error an *Error of q. If the caller's context has ended, that is
// the error's kind.
func (c *Client) asError(ctx context.Context, q request, err error) *Error {
	if err == nil {
		return nil
	}
	if end := ctx.Err(); end != nil {
		return q.fault(&Error{Kind: end})
	}
	if f, ok := errors.AsType[*Error](err); ok {
		return q.fault(f)
	}
	return q.fault(&Error{Kind: ErrNotOData, Cause: err})
}

// openError returns the error of a request that was not sent. It includes the last failure
// of a request that was.
func (c *Client) openError() *Error {
	f := &Error{Kind: ErrOpen}
	if last := c.failed.Load(); last != nil {
		f.Cause = last
	}
	return f
}
