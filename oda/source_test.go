package oda

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// source is a test server in memory, so that a client, its transport and the server can
// run in one synctest bubble, on a fake clock.
type source struct {
	conns chan net.Conn
	done  chan struct{}
	end   sync.Once

	mu   sync.Mutex
	uris []string // of each request, in order of arrival
}

func (s *source) Accept() (net.Conn, error) {
	select {
	case conn := <-s.conns:
		return conn, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *source) Close() error {
	s.end.Do(func() { close(s.done) })
	return nil
}

func (s *source) Addr() net.Addr { return &net.TCPAddr{} }

func (s *source) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case s.conns <- theirs:
		return ours, nil
	case <-s.done:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// asked returns the URIs of the requests so far.
func (s *source) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.uris...)
}

// inBubble runs f with a client of a source that answers with h, on a fake clock.
func inBubble(t *testing.T, cfg Config, h http.HandlerFunc, f func(t *testing.T, c *Client, s *source)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &source{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			s.uris = append(s.uris, r.RequestURI)
			s.mu.Unlock()
			h(w, r)
		})}
		go func() { _ = server.Serve(s) }()
		if cfg.URL == "" {
			cfg.URL = "http://source.test/api"
		}
		c, err := New(cfg, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := c.http.Transport.(*http.Transport)
		transport.Proxy, transport.DialContext = nil, s.dial
		f(t, c, s)
		c.Close()
		_ = server.Close()
	})
}

// pageOf returns a page of set as the source writes it.
func pageOf(set string, rows ...string) string {
	return `{"odata.metadata":"https://oda.ft.dk/api/$metadata#` + set + `","value":[` + "\n  " + strings.Join(rows, ",\n  ") + "\n]}"
}

// row returns a row with an id and a stamp; no stamp is null.
func row(id int64, stamp string) string {
	if stamp == "" {
		return fmt.Sprintf(`{"id":%d,"navn":"Bj\u00f8rn ø","opdateringsdato":null}`, id)
	}
	return fmt.Sprintf(`{"id":%d,"navn":"Bj\u00f8rn ø","opdateringsdato":"%s"}`, id, stamp)
}

// answer returns a handler that always answers with a page.
func answer(page string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		write(w, typeJSON+";odata=minimalmetadata;charset=utf-8", page)
	}
}

func write(w http.ResponseWriter, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write([]byte(body))
}

// first answers with each handler once, in order, and then always with the last.
func first(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[min(n, len(handlers)-1)]
		n++
		mu.Unlock()
		h(w, r)
	}
}
