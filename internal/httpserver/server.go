// Package httpserver makes HTTP servers that no client can block.
//
// Invariant: no client keeps a connection, or the resources of a request, for longer than
// the server's limits say, and a new connection is always answered. The package knows
// nothing of what is served.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Limits bound what one client can use of a server. Header, Read, Write and Idle are
// net/http's timeouts of these names.
type Limits struct {
	Header, Read, Write, Idle time.Duration
	HeaderBytes               int
	Connections               int // above it the one whose last request began longest ago is closed
}

// New returns a server with limits. Its own errors go to log.
func New(handler http.Handler, l Limits, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: l.Header, ReadTimeout: l.Read, WriteTimeout: l.Write, IdleTimeout: l.Idle,
		MaxHeaderBytes: l.HeaderBytes,
		ConnState:      newConnections(l.Connections).track,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// Listen listens on the address that the variable of this name holds.
func Listen(ctx context.Context, variable, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &inUseError{addr, variable, err}
	}
	if err != nil {
		return nil, fmt.Errorf("%w (%s says where)", err, variable)
	}
	return ln, nil
}

// inUseError says that another program listens on an address.
type inUseError struct {
	addr, variable string
	cause          error
}

func (e *inUseError) Error() string {
	return fmt.Sprintf("%s is in use by another program: set %s to a free one", e.addr, e.variable)
}

func (e *inUseError) Unwrap() error { return e.cause }

// Close ends a server, and cuts off the answers that are not sent within a time. That ctx
// has ended cuts off none.
func Close(ctx context.Context, s *http.Server, within time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		_ = s.Close() // a request hangs: the program ends anyway
	}
}
