package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"odastream/internal/httpserver"
	"odastream/internal/test/machine"
)

// dial opens a connection until the test ends, and writes a text to it.
func dial(t *testing.T, addr, say string) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, say); err != nil {
		t.Fatal(err)
	}
	return conn
}

// isClosed reads conn until the server closes it. It is false after 10 s, or more on
// a slow machine.
func isClosed(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(machine.AtLeast(10 * time.Second)))
	_, err := io.Copy(io.Discard, conn)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// closed counts the connections that the server closes, until there are want.
func closed(conns []net.Conn, want int) int {
	ends := make(chan bool, len(conns))
	for _, conn := range conns {
		go func() { ends <- isClosed(conn) }()
	}
	n := 0
	for range conns {
		if <-ends {
			n++
		}
		if n >= want {
			break
		}
	}
	return n
}

// Clients that keep idle connections do not block health checks, and do not use up the
// process's descriptors.
func TestIdleConnectionsDoNotBlockHealthChecks(t *testing.T) {
	t.Parallel()
	for claim, say := range map[string]string{
		"500 idle connections":                 "",
		"500 headers that do not end":          "GET /healthz HTTP/1.1\r\nHo",
		"500 bodies that never come":           "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
		"500 connections kept after an answer": "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		t.Run(claim, func(t *testing.T) {
			addr, let := serving(t, Job{})
			let()
			conns := make([]net.Conn, 500)
			for i := range conns {
				conns[i] = dial(t, addr, say)
			}
			begin := machine.Served()
			if code, body := get(t, addr, "/healthz"); code != http.StatusOK {
				t.Errorf("GET /healthz = %d %s, want 200", code, body)
			}
			if took := machine.Served() - begin; took > 10*time.Second {
				t.Errorf("GET /healthz took %s, want less than a probe waits", took)
			}
			if got, want := closed(conns, len(conns)-served.Connections), len(conns)-served.Connections; got < want {
				t.Errorf("%d of %d connections were closed, want %d", got, len(conns), want)
			}
		})
	}
}

// The server ends a connection that a client keeps busy or idle for too long.
func TestSlowClientsAreDisconnected(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct {
		say  string
		then func(conn net.Conn) // what the client does next
	}{
		"an idle connection":                {"", nil},
		"a connection kept after an answer": {"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", nil},
		"a body that never arrives":         {"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", nil},
		"a header, byte by byte":            {"GET /healthz HTTP/1.1\r\nHost: ", drip},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			const short = 200 * time.Millisecond
			addr := serveWithin(t, nil, httpserver.Limits{Header: short, Read: short, Write: short, Idle: short, Connections: 10})
			conn := dial(t, addr, tc.say)
			if tc.then != nil {
				go tc.then(conn)
			}
			if !isClosed(conn) {
				t.Error("the connection is still open, want it closed after 0.2 s")
			}
		})
	}
}

// drip writes a byte every 10 ms until the connection is closed.
func drip(conn net.Conn) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := conn.Write([]byte("a")); err != nil {
			return
		}
	}
}

// An answer that the client does not read ends at the write timeout, or sooner if its
// connection is needed. A health check is answered while there are more such answers than
// the limit.
func TestAnswersThatAreNotReadEnd(t *testing.T) {
	t.Parallel()
	for claim, l := range map[string]httpserver.Limits{
		"at the write timeout":            {Write: 200 * time.Millisecond, Connections: 100},
		"when others want the connection": {Write: time.Hour, Connections: 10},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			const readers = 30
			begun, ended := make(chan struct{}), make(chan error, readers)
			mux := http.NewServeMux()
			mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
			mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
				begun <- struct{}{}
				ended <- writeMuch(w)
			})
			addr := serveWithin(t, mux, l)
			for range readers {
				dial(t, addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				machine.Recv(t, "an answer to begin", begun)
			}
			if code, _ := get(t, addr, "/healthz"); code != http.StatusOK {
				t.Errorf("GET /healthz = %d, want 200", code)
			}
			want := readers // the write timeout ends each
			if l.Connections < readers {
				want -= l.Connections
			}
			for range want {
				if err := machine.Recv(t, "an answer to end", ended); err == nil {
					t.Error("an answer was written to its end, want an error: nobody read it")
				}
			}
		})
	}
}

// writeMuch writes more than the buffers of a connection hold.
func writeMuch(w io.Writer) error {
	piece := make([]byte, 64<<10)
	for range 1000 {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// serveWithin serves with the limits l; nil: those of a program.
func serveWithin(t *testing.T, handler http.Handler, l httpserver.Limits) (addr string) {
	t.Helper()
	s := &server{log: NewLogger(Logging{Level: "error"}, io.Discard, nil), registry: prometheus.NewRegistry()}
	if handler == nil {
		handler = s.routes()
	}
	srv := httpserver.New(handler, l, s.log)
	ln := listen(t)
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return ln.Addr().String()
}

// net/http logs to the program's log.
func TestTheServersErrorsAreLogged(t *testing.T) {
	t.Parallel()
	var out syncBuffer
	s := &server{log: NewLogger(Logging{Level: "info", Format: "json"}, &out, nil), registry: prometheus.NewRegistry()}
	srv := httpserver.New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }), served, s.log)
	ln := listen(t)
	go func() { _ = srv.Serve(ln) }()
	conn := dial(t, ln.Addr().String(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if !isClosed(conn) {
		t.Fatal("the connection is still open")
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	line, _, _ := bytes.Cut([]byte(out.String()), []byte("\n"))
	if got := string(line); !strings.HasPrefix(got, "{") || !strings.Contains(got, "boom") {
		t.Errorf("the log has %q, want a JSON line with the panic", got)
	}
}
