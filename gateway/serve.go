package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// question is a checked request.
type question struct {
	route  string // what it asks for, in metrics
	class  class
	cost   func(context.Context) (float64, error) // what Postgres expects; nil: class is not in doubt
	of     []string                               // the entities that the answer is of
	answer func(context.Context) (answer, error)
	file   file // instead of answer; nil: there is none
}

// answer is a whole answer.
type answer struct {
	contentType string
	body        []byte
	next        string // the address of the rest; "" if there is none, or the body says it
}

// dialect is what differs between the mirror and the own API: fixed headers, and the form
// of errors.
type dialect struct {
	header      map[string]string
	contentType string // of errors
	writeFault  func(r *http.Request, f *fault) []byte
}

// endpoint reads a request.
type endpoint func(*http.Request) (question, error)

// serve answers requests to an endpoint.
func (g *Gateway) serve(d dialect, ask endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		setHeader(w.Header(), d)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		var q question
		var err error
		if f := refusal(r); f != nil {
			err = f
		} else {
			q, err = ask(r)
		}
		status := http.StatusOK
		switch {
		case err != nil:
		case q.file != nil:
			status, err = g.stream(w, r, q)
		default:
			status, err = g.reply(w, r, &q)
		}
		cut := errors.Is(err, errCut)
		if err != nil && !cut {
			status = g.fail(w, r, d, err)
		}
		g.metrics.observe(q, status, time.Since(began))
		if cut {
			panic(http.ErrAbortHandler) // the client must see that there is no end
		}
	})
}

// setHeader sets what every answer has.
func setHeader(h http.Header, d dialect) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", allowed)
	h.Set("Access-Control-Allow-Headers", "Accept, If-None-Match, Last-Event-ID, X-Request-Id, DataServiceVersion, MaxDataServiceVersion")
	h.Set("Access-Control-Expose-Headers", "ETag, Last-Modified, Link, Retry-After, DataServiceVersion, X-Request-Id, "+completeThrough)
	h.Add("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	for name, value := range d.header {
		h.Set(name, value)
	}
}

// completeThrough is the header with the time up to which an answer is complete.
const completeThrough = "Odastream-Complete-Through"

// reply answers a question: with 304 and without a query if the client has the answer.
func (g *Gateway) reply(w http.ResponseWriter, r *http.Request, q *question) (status int, err error) {
	now := g.fresh.of(q.of)
	key := newAnswerKey(g.base(r), r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Accept"))
	if tag, ok := g.fresh.known(key, now); ok {
		if has := matching(r, tag); has != "" {
			g.metrics.spares.Add(1)
			return g.notModified(w, now, has), nil
		}
	}
	a, err := g.ask(r.Context(), q)
	if err != nil {
		return 0, err
	}
	if q.class == noClass {
		g.metrics.spares.Add(1)
	}
	tag := tagOf(a.body)
	g.fresh.remember(key, now, tag)
	if has := matching(r, tag); has != "" {
		return g.notModified(w, now, has), nil
	}
	g.setFreshness(w.Header(), now, tag)
	w.Header().Set("Content-Type", a.contentType)
	if a.next != "" {
		w.Header().Set("Link", "<"+a.next+`>; rel="next"`)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	if _, err := w.Write(a.body); err != nil {
		g.log.DebugContext(r.Context(), "the client has gone", "err", err)
	}
	return http.StatusOK, nil
}

// ask gets the answer of a question once there is a place for its class, which it settles.
func (g *Gateway) ask(ctx context.Context, q *question) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	leave, err := g.enter(ctx, q)
	if err != nil {
		return answer{}, err
	}
	defer leave()
	return q.answer(ctx)
}

// enter waits for a place for a question. If its class is in doubt Postgres plans it there
// first, and the question may go to the places of another class.
func (g *Gateway) enter(ctx context.Context, q *question) (leave func(), err error) {
	leave, err = g.places.enter(ctx, q.class)
	if err != nil || q.cost == nil {
		return leave, err
	}
	cost, err := q.cost(ctx)
	if err != nil {
		leave()
		return nil, err
	}
	if settled := classOf(cost); settled != q.class {
		leave()
		q.class = settled
		return g.places.enter(ctx, settled)
	}
	return leave, nil
}

func (g *Gateway) notModified(w http.ResponseWriter, s state, tag string) (status int) {
	g.setFreshness(w.Header(), s, tag)
	w.WriteHeader(http.StatusNotModified)
	return http.StatusNotModified
}

// setFreshness sets what caches and readers go by. s-maxage is left out: Cloudflare then
// ignores stale-while-revalidate.
func (g *Gateway) setFreshness(h http.Header, s state, tag string) {
	h.Set("ETag", tag)
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d, stale-while-revalidate=30, stale-if-error=86400", int(g.cfg.MaxAge.Seconds())))
	modified := s.changedAt
	if modified.IsZero() {
		modified = g.startedAt
	}
	h.Set("Last-Modified", modified.UTC().Format(http.TimeFormat))
	if !s.completeThrough.IsZero() {
		h.Set(completeThrough, s.completeThrough.UTC().Format(time.RFC3339))
	}
}

// fail tells the client why there is no answer.
func (g *Gateway) fail(w http.ResponseWriter, r *http.Request, d dialect, err error) (status int) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return statusClientClosed // nobody is there to be told
	}
	f := faultOf(err)
	if f.hidden != nil {
		g.log.WarnContext(r.Context(), "a request failed", "request", w.Header().Get(requestID), "path", r.URL.Path, "err", f.hidden)
	}
	if err := f.send(w, d.contentType, d.writeFault(r, f)); err != nil {
		g.log.DebugContext(r.Context(), "the client has gone", "err", err)
	}
	return f.status
}

// statusClientClosed is what metrics call a request whose client went before the answer;
// nginx uses the same number.
const statusClientClosed = 499
