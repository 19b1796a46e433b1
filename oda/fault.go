package oda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What can be wrong with an answer. Errors of a Client are *Error and match one
// of these with errors.Is, or context.Canceled and context.DeadlineExceeded if
// the caller's own context ended.
var (
	// ErrNotFound: 404, the source has no such set. No retry mends it.
	ErrNotFound = errors.New("not found at the source")
	// ErrBadQuery: 400, the source does not understand the filter; it says so
	// with an empty body. No retry mends it.
	ErrBadQuery = errors.New("query refused by the source")
	// ErrRefused: another 4xx, or 501: the source does not want us (a sign-in, a
	// firewall). No retry mends it; the operator asks the source's owner.
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
	// ErrNotHonoured: the answer is not what was asked for: rows outside the
	// window or out of order, far more than were asked for, or another set. Nothing of it may be used.
	ErrNotHonoured = errors.New("query not honoured by the source")
	// ErrRedirected: the source leads to another host or port, to a scheme other
	// than https, or in a circle. Nothing is asked there; no retry mends it.
	ErrRedirected = errors.New("source redirects elsewhere")
	// ErrTimeout: no whole answer within Config.Timeout. Asked twice only,
	// since a narrower window helps more.
	ErrTimeout = errors.New("source did not answer in time")
	// ErrUnreachable: no connection, or one that broke before an answer. Given
	// after the last try.
	ErrUnreachable = errors.New("source cannot be reached")
	// ErrOpen: not asked at all, since the last many requests failed and the
	// circuit breaker is open. It closes with the first good answer.
	ErrOpen = errors.New("circuit breaker is open")
)

// kinds are the errors above by their names in metrics.
func kinds() map[error]string {
	return map[error]string{
		ErrNotFound: "not_found", ErrBadQuery: "bad_query", ErrRefused: "refused", ErrNotOData: "not_odata",
		ErrServer: "server", ErrTruncated: "truncated", ErrTooLarge: "too_large", ErrNotHonoured: "not_honoured",
		ErrRedirected: "redirected", errMoved: "moved",
		ErrTimeout: "timeout", ErrUnreachable: "unreachable", ErrOpen: "open",
	}
}

// Error is what became of a request, after its last try.
type Error struct {
	// Set is the entity set asked for, or "$metadata".
	Set string
	// URL is the whole address, without a user and a password.
	URL string
	// Status is the HTTP status of the last answer, 0 if there was none.
	Status int
	// Code and Message are what the source said in an odata.error, else empty.
	Code, Message string
	// RetryAfter is how long the source asked to be left alone, 0 if it did not.
	RetryAfter time.Duration
	// Tries is how often it was asked, 1 or more.
	Tries int
	// Kind is one of the package's errors, or the caller's context error.
	Kind error
	// Cause is the detail, nil if Kind and Status say it all.
	Cause error

	// final is set where another try would be no use though the kind can pass.
	final bool
}

// Error names the set, what was wrong with its last answer, and the address.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "read %s: %v", e.Set, e.Kind)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	if e.Code != "" || e.Message != "" {
		fmt.Fprintf(&b, ", it says %q %q", clip(e.Code), clip(e.Message))
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

// maxQuoted is how much of a text of the source stands in an error.
const maxQuoted = 500

// clip gives the beginning of a text, and its length where that is not all. A
// page can hold names, stamps and messages of megabytes.
func clip(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:maxQuoted], ""), len(text))
}

// Unwrap gives Kind and Cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// passes tells whether the fault can pass by itself: these are tried again, and
// these alone count for the circuit breaker.
func (e *Error) passes() bool {
	return slices.ContainsFunc([]error{ErrServer, ErrTruncated, ErrTimeout, ErrUnreachable, ErrNotOData, ErrOpen}, e.is)
}

// is tells whether e is of a kind, whatever its cause.
func (e *Error) is(kind error) bool { return errors.Is(e.Kind, kind) }

// outcome is the error's name in metrics.
func (e *Error) outcome() string {
	if name, ok := kinds()[e.Kind]; ok {
		return name
	}
	return "cancelled"
}

// IsUnreachable tells whether err, from a Client, means that nothing that
// answers as the source was found at the address: no connection, no answer in
// time, a redirect elsewhere, or an answer that is not OData. The settings or the network are at
// fault then, not the query.
func IsUnreachable(err error) bool {
	for _, kind := range []error{ErrUnreachable, ErrTimeout, ErrNotOData, ErrRedirected, ErrOpen} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// fault makes an Error of a kind with a detail in words.
func fault(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Cause: fmt.Errorf(format, args...)}
}

// isEnd tells whether err is the end of the caller's context.
func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
