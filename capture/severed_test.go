package capture

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"odastream/checkpoint"
	"odastream/internal/test/machine"
)

// wire is a process's network to Postgres. Within a statement, once the process has sent
// a number of bytes, it falls silent: what follows is not sent, and nothing is received.
// Later its connections are closed, and the process is dead.
type wire struct {
	left      int    // bytes until it falls silent
	meanwhile func() // runs while it is silent
	pool      *pgxpool.Pool

	mu     sync.Mutex
	conns  []net.Conn
	closed chan struct{} // not nil from when it falls silent, closed at the end
}

var errSevered = errors.New("the test cut the network")

// connect gives the world's next processes the wire. A nil wire changes nothing.
func (x *wire) connect(w *world) {
	if x == nil {
		return
	}
	cfg := w.pool.Config()
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		x.conns = append(x.conns, conn)
		return severedConn{conn, x}, nil
	}
	var err error
	if x.pool, err = pgxpool.NewWithConfig(w.t.Context(), cfg); err != nil {
		w.t.Fatal(err)
	}
	wrap := w.wrapStore
	w.wrapStore = func(store) store { return wrap(checkpoint.New(x.pool)) }
}

// close closes the wire at the end of its processes.
func (x *wire) close() {
	if x != nil {
		x.pool.Close()
	}
}

// cut returns how many of n bytes are still sent. last is true for the bytes within which
// the wire falls silent; closed is not nil once it is silent.
func (x *wire) cut(n int) (sent int, last bool, closed chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed != nil {
		return 0, false, x.closed
	}
	if sent = min(n, x.left); sent == n {
		x.left -= n
		return n, false, nil
	}
	x.closed = make(chan struct{})
	return sent, true, x.closed
}

// silent returns a channel that is closed at the end of the silence, nil before it.
func (x *wire) silent() chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.closed
}

// end ends the silence and closes the connections.
func (x *wire) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, conn := range x.conns {
		_ = conn.Close()
	}
	close(x.closed)
}

// severedConn is a connection through a wire.
type severedConn struct {
	net.Conn
	wire *wire
}

func (c severedConn) Write(b []byte) (int, error) {
	sent, last, closed := c.wire.cut(len(b))
	if closed == nil {
		return c.Conn.Write(b)
	}
	if last {
		_, _ = c.Conn.Write(b[:sent])
		c.wire.meanwhile()
		c.wire.end()
	}
	<-closed
	return 0, errSevered
}

func (c severedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if closed := c.wire.silent(); closed != nil {
		<-closed
		return 0, errSevered
	}
	return n, err
}

// cutOff ends the process. late is called with what it may still publish.
func (l *life) cutOff() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	for _, changes := range l.publishing {
		l.late(changes)
	}
}

// drawWire draws a wire that falls silent while a process with this life works, and
// whether another process takes over before its connections are closed.
func (h *history) drawWire(l *life) *wire {
	x := &wire{left: rapid.IntRange(1, 30_000).Draw(h.rt, "bytes to the database")}
	takenOver := rapid.Bool().Draw(h.rt, "taken over")
	l.late = h.seen.forgeAll
	x.meanwhile = func() {
		l.cutOff()
		if takenOver {
			h.takeOver()
		}
	}
	h.tell("the network to the database falls silent after %d bytes, and another poller takes over: %v", x.left, takenOver)
	return x
}

// expireLeasesSoon expires the leases. No process that is frozen or silent may keep it
// waiting: the lease's row is locked only while the server works by itself.
func (h *history) expireLeasesSoon() {
	ctx := machine.Wait{For: "the leases to expire though a process is frozen or cut off"}.Context(h.t)
	if _, err := h.pool.Exec(ctx, `UPDATE poller_leases SET expires_at = '-infinity'`); err != nil {
		h.t.Errorf("expire leases while a process is frozen or cut off: %v", err)
		return
	}
	h.expireLeases()
}
