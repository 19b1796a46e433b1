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

// Client asks one source. All its methods share one budget and one circuit
// breaker, and may be called at the same time. Their errors are *Error.
type Client struct {
	base    *url.URL
	agent   string
	timeout time.Duration
	http    *http.Client
	budget  *budget
	breaker circuitbreaker.CircuitBreaker[any]
	retry   failsafe.Executor[any]
	metrics *metrics

	buffers   sync.Pool // *bytes.Buffer, bodies while they are read
	splitters sync.Pool // *splitter
}

// New makes a Client. It asks nothing yet. An error is a fault of cfg, or
// metrics registered with reg before; log and reg may be nil.
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
		http:    &http.Client{Transport: newTransport(cfg)},
		budget:  newBudget(cfg.Rate, cfg.Concurrency),
		breaker: breaker, retry: newRetry(breaker, m, log), metrics: m,
	}, nil
}

// newTransport keeps as many connections as requests are made at once. The
// source speaks HTTP/1.1.
func newTransport(cfg Config) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: min(cfg.Timeout, 10*time.Second), KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxConnsPerHost:     cfg.Concurrency,
		MaxIdleConnsPerHost: cfg.Concurrency,
		IdleConnTimeout:     90 * time.Second,
		ReadBufferSize:      64 << 10,
		Protocols:           &protocols,
	}
}

// Close gives up idle connections. Calls under way are not cut off, and a
// closed Client can still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// question is one request before it is sent.
type question struct {
	set    string
	url    string
	accept string
	lane   Lane
	// check reads an answer; an error of it is an *Error, and a try that
	// failed. It can be called more than once.
	check func(reply) error
}

// Page asks for up to 100 rows of set inside w, in order of id, those with the
// lowest ids. An empty page is the end of the window; a short one is not. The
// rows have passed every check: else the error is ErrNotHonoured and there are
// none (Invariant 7). A bound of w that is no wall clock is an error that
// matches nothing.
func (c *Client) Page(ctx context.Context, set string, w Window, lane Lane) (Page, error) {
	if _, err := w.rule(); err != nil {
		return Page{}, fmt.Errorf("ask for a page of %s: %w", set, err)
	}
	var page Page
	err := c.ask(ctx, c.about(set, w.query(), lane, func(r reply) error {
		rule, err := w.rule() // a fresh one for each try: it counts
		if err != nil {
			return err
		}
		s, err := c.split(set, r.body, rule)
		page = Page{Rows: s.rows, Rejects: s.rejects, Date: r.date, Sent: r.sent, Received: r.received}
		return err
	}))
	if err != nil {
		return Page{}, err
	}
	c.metrics.page(set, len(page.Rows), len(page.Rejects))
	return page, nil
}

// Extent asks for set's highest id and number of rows, in one request. Both are
// hints: rows may come and go at once.
func (c *Client) Extent(ctx context.Context, set string, lane Lane) (Extent, error) {
	var extent Extent
	err := c.ask(ctx, c.about(set, "$orderby=id%20desc&$top=1&$inlinecount=allpages", lane, func(r reply) error {
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

// extent reads a sheet that was asked for with one row, the last.
func (s sheet) extent() (Extent, error) {
	extent := Extent{Count: s.count}
	if len(s.rejects) > 0 {
		return Extent{}, fault(ErrNotOData, "the row with the highest id %s", s.rejects[0].Reason)
	}
	for i, row := range s.rows {
		if i > 0 && row.ID >= s.rows[i-1].ID {
			return Extent{}, fault(ErrNotHonoured, "id %d comes after %d, want falling ids", row.ID, s.rows[i-1].ID)
		}
		extent.MaxID = max(extent.MaxID, row.ID)
	}
	if len(s.rows) == 0 && s.count > 0 {
		return Extent{}, fault(ErrNotHonoured, "no row of %d", s.count)
	}
	return extent, nil
}

// Metadata gives the service's $metadata document (EDMX) as it came.
func (c *Client) Metadata(ctx context.Context) ([]byte, error) {
	var doc []byte
	q := c.metadataQuestion(func(r reply) error {
		doc = r.body
		return checkMetadata(r.body)
	})
	if err := c.ask(ctx, q); err != nil {
		return nil, err
	}
	return doc, nil
}

// Reachable asks for $metadata once, without another try, and gives nil if what
// answers is the source, else an error that IsUnreachable can judge. Bound it
// by ctx where Config.Timeout is too long to wait.
func (c *Client) Reachable(ctx context.Context) error {
	q := c.metadataQuestion(func(r reply) error { return checkMetadata(r.body) })
	if f := c.try(ctx, q); f != nil {
		return c.name(f, q, 1)
	}
	return nil
}

func (c *Client) metadataQuestion(check func(reply) error) question {
	return question{set: metadataSet, url: c.base.String() + "$metadata", accept: typeXML, check: check}
}

// checkMetadata sees that a document is an EDMX one, whole.
func checkMetadata(doc []byte) error {
	if !bytes.Contains(doc, []byte("Edmx")) {
		return fault(ErrNotOData, "$metadata is no EDMX document")
	}
	if !bytes.HasSuffix(bytes.TrimSpace(doc), []byte("Edmx>")) {
		return fault(ErrTruncated, "$metadata does not end")
	}
	return nil
}

// about makes a question about a set.
func (c *Client) about(set, query string, lane Lane, check func(reply) error) question {
	return question{
		set: set, url: c.base.String() + url.PathEscape(set) + "?" + query,
		accept: typeJSON, lane: lane, check: check,
	}
}

// split takes a page of set apart with a splitter from the pool.
func (c *Client) split(set string, body []byte, r *rule) (sheet, error) {
	s, ok := c.splitters.Get().(*splitter)
	if !ok {
		s = new(splitter)
	}
	defer c.splitters.Put(s)
	out, err := s.split(body, r)
	if err != nil {
		return sheet{}, err
	}
	if !isOf(out.metadata, set) {
		return sheet{}, fault(ErrNotHonoured, "the page is of %q", out.metadata)
	}
	return out, nil
}

// takeBuffer gives a buffer for a body, used before if there is one.
func (c *Client) takeBuffer() *bytes.Buffer {
	if buf, ok := c.buffers.Get().(*bytes.Buffer); ok {
		return buf
	}
	return new(bytes.Buffer)
}

// ask sends a question until it is answered or another try is of no use.
func (c *Client) ask(ctx context.Context, q question) error {
	tries := 0
	err := c.retry.WithContext(ctx).Run(func() error {
		tries++
		f := c.try(ctx, q)
		if f == nil {
			return nil
		}
		f.final = errors.Is(f.Kind, ErrTimeout) && tries >= maxTimeouts
		return c.name(f, q, tries)
	})
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	// The policy gives the context's own error if that ended during a wait.
	return c.name(&Error{Kind: err}, q, tries)
}

// name adds to f what it is about.
func (c *Client) name(f *Error, q question, tries int) *Error {
	f.Set, f.URL, f.Tries = q.set, redact(q.url), tries
	return f
}

// redact takes a password out of an address.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Redacted()
}

// try sends a question once, when the budget and the breaker allow it: the one
// function that sends, reads the whole body and checks it. A page counts only
// then, for the breaker too.
func (c *Client) try(ctx context.Context, q question) *Error {
	began := time.Now()
	if err := c.budget.acquire(ctx, q.lane); err != nil {
		return &Error{Kind: err}
	}
	defer c.budget.release()
	c.metrics.waited.WithLabelValues(q.lane.String()).Observe(time.Since(began).Seconds())
	if !c.breaker.TryAcquirePermit() {
		return &Error{Kind: ErrOpen}
	}
	sent := time.Now()
	r, err := c.exchange(ctx, q)
	if err == nil {
		err = q.check(r)
	}
	f := c.judge(ctx, err)
	c.record(f)
	c.metrics.request(q.set, time.Since(sent), f)
	return f
}

// judge makes sure that an error is an *Error, and that the end of the caller's
// context is called that whatever it broke.
func (c *Client) judge(ctx context.Context, err error) *Error {
	if err == nil {
		return nil
	}
	if end := ctx.Err(); end != nil {
		return &Error{Kind: end, Cause: err}
	}
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	return &Error{Kind: ErrNotOData, Cause: err}
}

// record tells the breaker, and the budget what the source asked for.
func (c *Client) record(f *Error) {
	switch {
	case f == nil:
		c.breaker.RecordSuccess()
	case f.passes() || isEnd(f.Kind) && !c.breaker.IsClosed():
		// A try that its caller gave up says nothing of the source, but a
		// breaker that waits for its one trial must get an answer.
		c.breaker.RecordFailure()
	case !isEnd(f.Kind):
		c.breaker.RecordSuccess() // it answers, if only no
	}
	if f != nil && f.RetryAfter > 0 {
		c.budget.hold(time.Now().Add(min(f.RetryAfter, maxRetryAfter)))
	}
}
