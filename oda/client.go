package oda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	typeJSON = "application/json"
	typeXML  = "application/xml"
	// metadataSet stands for a set's name in errors and metrics.
	metadataSet = "$metadata"
)

// Client reads one source. All its methods share one budget and one circuit breaker,
// and are safe for concurrent use. Their errors are *Error.
type Client struct {
	base    *url.URL
	agent   string
	timeout time.Duration
	http    *http.Client
	budget  *budget
	breaker circuitbreaker.CircuitBreaker[any]
	retry   failsafe.Executor[any]
	metrics *metrics
	failed  atomic.Pointer[Error] // the last temporary fault

	outcomes outcomes

	buffers   sync.Pool // *[]byte, bodies while they are read
	splitters sync.Pool // *splitter
}

// New returns a Client. It sends nothing yet. It returns an error if cfg is invalid or
// if reg already has the metrics. log and reg may be nil.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make client of the source: %w", err)
	}
	base, err := cfg.base()
	if err != nil {
		return nil, fmt.Errorf("make client of the source: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("register metrics of the source: %w", err)
	}
	breaker := newBreaker(m, log)
	return &Client{
		base: base, agent: cfg.userAgent(), timeout: cfg.Timeout,
		http:    &http.Client{Transport: newTransport(cfg), CheckRedirect: returnRedirect},
		budget:  newBudget(cfg.Rate, cfg.Concurrency),
		breaker: breaker, retry: newRetry(breaker, m, log), metrics: m,
	}, nil
}

// newTransport keeps as many connections as there are concurrent requests. The source
// speaks HTTP/1.1.
func newTransport(cfg Config) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: min(cfg.Timeout, 10*time.Second), KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  hideProxyAddress(http.ProxyFromEnvironment),
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxConnsPerHost:        cfg.Concurrency,
		MaxIdleConnsPerHost:    cfg.Concurrency,
		IdleConnTimeout:        90 * time.Second,
		ReadBufferSize:         64 << 10,
		MaxResponseHeaderBytes: maxHeaders,
		Protocols:              &protocols,
	}
}

// hideProxyAddress returns the proxy that from returns, with an error that does not quote the
// environment: a proxy's address may hold a password.
func hideProxyAddress(from func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		u, err := from(req)
		if err != nil {
			return nil, errors.New("HTTP_PROXY or HTTPS_PROXY is set, but is not an address")
		}
		return u, nil
	}
}

// returnRedirect returns a redirect as an ordinary answer; follow handles it.
func returnRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// PausedUntil returns until when set is not asked, because the source asked for a pause
// by Retry-After; the zero value if it did not.
func (c *Client) PausedUntil(set string) time.Time { return c.budget.heldUntil(set) }

// Close closes idle connections. Running calls continue, and a closed Client can still
// be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Page reads the up to 100 rows of set with the lowest ids inside w, in order of id. An
// empty page is the end of the window; a short one is not. Every row is checked. If a
// check fails, the error is ErrNotHonoured and no rows are returned (Invariant 7). A
// bound of w that is no wall clock is an error that matches none of the package's
// errors.
func (c *Client) Page(ctx context.Context, set string, w Window, lane Lane) (Page, error) {
	rule, err := w.rule()
	if err != nil {
		return Page{}, fmt.Errorf("ask for a page of %s: %w", set, err)
	}
	var page Page
	err = c.ask(ctx, c.setRequest(set, w.query(), lane, func(r reply) error {
		fresh := rule // a copy for each try, since it changes
		s, err := c.split(set, r.body, &fresh)
		page = Page{Rows: s.rows, Rejects: s.rejects, Date: r.date, Sent: r.sent, Received: r.received}
		return err
	}))
	if err != nil {
		return Page{}, err
	}
	c.metrics.page(set, len(page.Rows), len(page.Rejects))
	return page, nil
}

// Extent reads set's highest id and number of rows, in one request. Both are hints:
// rows may come and go at any time.
func (c *Client) Extent(ctx context.Context, set string, lane Lane) (Extent, error) {
	var extent Extent
	err := c.ask(ctx, c.setRequest(set, "$orderby=id%20desc&$top=1&$inlinecount=allpages", lane, func(r reply) error {
		s, err := c.split(set, r.body, nil)
		if err != nil {
			return err
		}
		extent, err = s.extent()
		return err
	}))
	if err != nil {
		return Extent{}, err
	}
	return extent, nil
}

// Metadata returns the service's $metadata document (EDMX) unchanged.
func (c *Client) Metadata(ctx context.Context) ([]byte, error) {
	var doc []byte
	q := c.metadataRequest(func(r reply) error {
		doc = r.body
		return checkMetadata(r.body)
	})
	if err := c.ask(ctx, q); err != nil {
		return nil, err
	}
	return doc, nil
}

// Reachable asks for $metadata once, without a retry. It returns nil if the source
// answers, else an error for IsUnreachable. Limit it with ctx where Config.Timeout is
// too long.
func (c *Client) Reachable(ctx context.Context) error {
	q := c.metadataRequest(func(r reply) error { return checkMetadata(r.body) })
	if f := c.follow(ctx, q); f != nil {
		return f
	}
	return nil
}

func (c *Client) metadataRequest(check func(reply) error) request {
	return request{set: metadataSet, url: c.base.String() + "$metadata", accept: typeXML, limit: maxMetadata, check: check}
}

// checkMetadata checks that a document is a complete EDMX document.
func checkMetadata(doc []byte) error {
	if !bytes.Contains(doc, []byte("Edmx")) {
		return fault(ErrNotOData, "$metadata is not an EDMX document")
	}
	if !bytes.HasSuffix(bytes.TrimSpace(doc), []byte("Edmx>")) {
		return fault(ErrTruncated, "$metadata is cut off")
	}
	return nil
}

// setRequest returns a request for a set.
func (c *Client) setRequest(set, query string, lane Lane, check func(reply) error) request {
	return request{
		set: set, url: c.base.String() + url.PathEscape(set) + "?" + query,
		accept: typeJSON, lane: lane, limit: maxPage, check: check,
	}
}

// split splits a page of set with a splitter from the pool.
func (c *Client) split(set string, body []byte, r *rule) (content, error) {
	s, ok := c.splitters.Get().(*splitter)
	if !ok {
		s = new(splitter)
	}
	defer c.splitters.Put(s)
	out, err := s.split(body, r)
	if err != nil {
		return content{}, err
	}
	if !isMetadataOf(out.metadata, set) {
		return content{}, fault(ErrNotHonoured, "the page is of %q", clip(out.metadata))
	}
	return out, nil
}

// getBuffer returns a buffer for a body, from the pool if it has one.
func (c *Client) getBuffer() *[]byte {
	if buf, ok := c.buffers.Get().(*[]byte); ok {
		return buf
	}
	return new([]byte)
}
