package oda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The kinds of errors. Errors of a Client are *Error and match one of these with
// errors.Is, or context.Canceled and context.DeadlineExceeded if the caller's own
// context ended.
var (
	// ErrNotFound: 404, the source has no such set. It is not retried.
	ErrNotFound = errors.New("not found at the source")
	// ErrBadQuery: 400 with an empty body, the source does not understand the filter.
	// It is not retried.
	ErrBadQuery = errors.New("query refused by the source")
	// ErrRefused: another 4xx, or 501: the source refuses us (a sign-in, a firewall).
	// It is not retried; the operator asks the source's owner.
	ErrRefused = errors.New("request refused by the source")
	// ErrNotOData: an answer that is no OData page, such as an HTML page with
	// 200 from a proxy or during maintenance. Given after the last try.
	ErrNotOData = errors.New("answer is not OData")
	// ErrServer: 5xx, 429, or an odata.error in a 200: the source is broken or
	// busy. Given after the last try.
	ErrServer = errors.New("source is out of order")
	// ErrTruncated: the body ended early. Given after the last try.
	ErrTruncated = errors.New("answer is cut off")
	// ErrTooLarge: the body is above 16 MiB, or above 2 MiB for $metadata,
	// decompressed. A page of 100 rows never is.
	ErrTooLarge = errors.New("answer is too large")
	// ErrNotHonoured: the answer does not match the query: rows outside the window or
	// out of order, far too many rows, or another set. No part of it may be used.
	ErrNotHonoured = errors.New("query not honoured by the source")
	// ErrRedirected: the source redirects to another host or port, to a scheme other
	// than https, or in a circle. The redirect is not followed and not retried.
	ErrRedirected = errors.New("source redirects elsewhere")
	// ErrTimeout: no complete answer within Config.Timeout. There are only two tries,
	// since a narrower window helps more.
	ErrTimeout = errors.New("source did not answer in time")
	// ErrUnreachable: no connection, or it broke before an answer. Given after the last
	// try.
	ErrUnreachable = errors.New("source cannot be reached")
	// ErrOpen: not sent, because many requests in a row failed and the circuit breaker
	// is open. It closes with the first good answer.
	ErrOpen = errors.New("circuit breaker is open")
)

// kinds maps the errors above to their names in metrics.
func kinds() map[error]string {
	return map[error]string{
		ErrNotFound: "not_found", ErrBadQuery: "bad_query", ErrRefused: "refused", ErrNotOData: "not_odata",
		ErrServer: "server", ErrTruncated: "truncated", ErrTooLarge: "too_large", ErrNotHonoured: "not_honoured",
		ErrRedirected: "redirected", errRedirect: "moved",
		ErrTimeout: "timeout", ErrUnreachable: "unreachable", ErrOpen: "open",
	}
}

// Error is the failure of a request, after its last try.
type Error struct {
	// Set is the entity set asked for, or "$metadata".
	Set string
	// URL is the whole address, without a user and a password.
	URL string
	// Status is the HTTP status of the last answer, 0 if there was none.
	Status int
	// Code and Message are what the source said in an odata.error, else empty.
	Code, Message string
	// RetryAfter is the pause that the source asked for, 0 if none.
	RetryAfter time.Duration
	// Tries is the number of tries, 1 or more.
	Tries int
	// Kind is one of the package's errors, or the caller's context error.
	Kind error
	// Cause is the detail, nil if Kind and Status say it all.
	Cause error

	// final is set where another try cannot help although the kind is temporary.
	final bool
}

// Error names the set, the fault of its last answer, and the address.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "read %s: %v", e.Set, e.Kind)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	if e.Code != "" || e.Message != "" {
		fmt.Fprintf(&b, ", odata.error %q %q", clip(e.Code), clip(e.Message))
	}
	if e.Tries > 1 {
		fmt.Fprintf(&b, " after %d tries", e.Tries)
	}
	fmt.Fprintf(&b, ": GET %s", clip(e.URL))
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %s", clip(e.Cause.Error()))
	}
	return b.String()
}

// maxQuoted limits how much of a text of the source an error quotes.
const maxQuoted = 500

// clip returns the beginning of a text, and the length of a text that it cuts. A page
// can hold names, stamps and messages of megabytes.
func clip(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:maxQuoted], ""), len(text))
}

// Unwrap returns Kind and Cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// isTemporary reports whether the fault is temporary. Only temporary faults are retried and
// count for the circuit breaker.
func (e *Error) isTemporary() bool {
	return slices.ContainsFunc([]error{ErrServer, ErrTruncated, ErrTimeout, ErrUnreachable, ErrNotOData, ErrOpen}, e.is)
}

// is reports whether e is of a kind, whatever its cause.
func (e *Error) is(kind error) bool { return errors.Is(e.Kind, kind) }

// outcome returns the error's name in metrics.
func (e *Error) outcome() string {
	if name, ok := kinds()[e.Kind]; ok {
		return name
	}
	return "cancelled"
}

// IsUnreachable reports whether err, from a Client, means that the source was not found
// at the address: no connection, no answer in time, a redirect elsewhere, or an answer
// that is not OData. The cause is then the settings or the network, not the query.
func IsUnreachable(err error) bool {
	for _, kind := range []error{ErrUnreachable, ErrTimeout, ErrNotOData, ErrRedirected, ErrOpen} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// fault returns an Error of a kind with a detail in words.
func fault(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Cause: fmt.Errorf(format, args...)}
}

// isEnd reports whether err is the end of the caller's context.
func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
