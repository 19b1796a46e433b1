package oda

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// maxRedirects limits the redirects of one try. A source that has moved needs one to
// https and one to another path.
const maxRedirects = 3

// errRedirect is the kind of a redirect to another address of the source. The client never
// returns it: follow follows the redirect.
var errRedirect = errors.New("source has moved")

// moved is the error of an answer that redirects to another address of the source.
type redirectError struct{ to *url.URL }

// Error names only the host: an address can hold credentials.
func (m *redirectError) Error() string { return "redirect to " + origin(m.to) }

// follow sends a request once, and again where a redirect may be followed. Each
// request waits for the budget and counts for the breaker and the metrics.
func (c *Client) follow(ctx context.Context, q request) *Error {
	for redirects := 1; ; redirects++ {
		f := c.try(ctx, q)
		if f == nil || !f.is(errRedirect) {
			return f
		}
		m, _ := errors.AsType[*redirectError](f.Cause)
		if redirects > maxRedirects {
			f.Kind = ErrRedirected
			f.Cause = fmt.Errorf("%d redirects in a row, the last to %s: set ODA_URL to the address that answers", redirects, origin(m.to))
			return f
		}
		q.url = m.to.String()
	}
}

// redirectOf returns an answer's redirect as an error, nil if it is none. Only one of
// the kind errRedirect may be followed.
func redirectOf(resp *http.Response) *Error {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	f := &Error{Kind: ErrNotOData, Status: resp.StatusCode}
	from := resp.Request.URL
	to, err := resp.Location()
	if err != nil {
		f.Cause = errors.New("a redirect without an address")
		return f
	}
	if !sameSource(from, to) {
		f.Kind = ErrRedirected
		f.Cause = fmt.Errorf("redirect from %s to %s refused: set ODA_URL to the new address if it is the source's", origin(from), origin(to))
		return f
	}
	// The credentials come from the settings, never from the source.
	to.User, to.Fragment, to.RawFragment = from.User, "", ""
	f.Kind, f.Cause = errRedirect, &redirectError{to}
	return f
}

// sameSource reports whether a redirect stays at the source: same host, port and
// scheme, or from http to https with the usual ports.
func sameSource(from, to *url.URL) bool {
	if !strings.EqualFold(from.Hostname(), to.Hostname()) {
		return false
	}
	if from.Scheme == to.Scheme {
		return portOf(from) == portOf(to)
	}
	return from.Scheme == "http" && to.Scheme == "https" && portOf(from) == "80" && portOf(to) == "443"
}

// portOf returns the port of an address, or the scheme's default port.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	case u.Scheme == "http":
		return "80"
	}
	return ""
}

// origin returns only scheme and host of an address.
func origin(u *url.URL) string {
	return clip(u.Scheme + "://" + u.Host)
}
