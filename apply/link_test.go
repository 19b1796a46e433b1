package apply_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// The servers that a link leads to.
const (
	toKafka    = "kafka"
	toPostgres = "postgres"
)

var errCut = errors.New("link is cut")

// link is the network of one process. After kill the process can send and receive
// nothing. After freeze it stops until thaw; it then receives what its servers sent in
// the meantime. The zero value, with conns made, is that of a running process.
type link struct {
	mu    sync.Mutex
	conns map[*wire]bool
	dead  bool
	ice   chan struct{} // not nil: frozen until it is closed
	away  map[string]bool
	slow  time.Duration // of each write
	fuse  int           // writes to Postgres until burn is called; 0: never
	burn  func()
	split bool // burn is called once half of the write is sent, and not before it
}

func newLink() *link { return &link{conns: map[*wire]bool{}, away: map[string]bool{}} }

// wire is one connection of a link.
type wire struct {
	net.Conn
	link   *link
	server string
}

// dialer connects to one of the servers.
func (l *link) dialer(server string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if err := l.pass(); err != nil {
			return nil, err
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.dead || l.away[server] {
			_ = conn.Close()
			return nil, errCut
		}
		w := &wire{conn, l, server}
		l.conns[w] = true
		return w, nil
	}
}

// pass waits while the process is frozen.
func (l *link) pass() error {
	for {
		l.mu.Lock()
		ice, dead := l.ice, l.dead
		l.mu.Unlock()
		if dead {
			return errCut
		}
		if ice == nil {
			return nil
		}
		<-ice
	}
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if passed := w.link.pass(); passed != nil {
		return 0, passed
	}
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	burn, split := w.link.count(w.server)
	if burn == nil {
		return w.send(b)
	}
	if !split {
		burn()
		return w.send(b)
	}
	half, err := w.send(b[:len(b)/2])
	if err != nil {
		return half, err
	}
	burn()
	rest, err := w.send(b[half:])
	return half + rest, err
}

// send sends b as soon as the process runs.
func (w *wire) send(b []byte) (int, error) {
	if err := w.link.pass(); err != nil {
		return 0, err
	}
	w.link.mu.Lock()
	slow := w.link.slow
	w.link.mu.Unlock()
	if slow > 0 {
		<-time.After(slow)
	}
	return w.Conn.Write(b)
}

func (w *wire) Close() error {
	w.link.mu.Lock()
	delete(w.link.conns, w)
	w.link.mu.Unlock()
	return w.Conn.Close()
}

// count counts a write towards the fuse. It returns burn if this is the write.
func (l *link) count(server string) (burn func(), split bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fuse > 0 && server == toPostgres {
		if l.fuse--; l.fuse == 0 {
			burn, l.burn = l.burn, nil
		}
	}
	return burn, l.split
}

// after calls burn before the n-th write to Postgres from now on, or within it. A later
// call of after replaces it.
func (l *link) after(writes int, split bool, burn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fuse, l.split, l.burn = writes, split, burn
}

// kill ends the process as SIGKILL does: its connections end with a reset.
func (l *link) kill() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	l.thaw()
	l.reset("")
}

func (l *link) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// freeze stops the process as SIGSTOP does.
func (l *link) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ice == nil && !l.dead {
		l.ice = make(chan struct{})
	}
}

func (l *link) thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ice != nil {
		close(l.ice)
		l.ice = nil
	}
}

// lose makes a server unreachable until find, and ends the connections to it.
func (l *link) lose(server string) {
	l.mu.Lock()
	l.away[server] = true
	l.mu.Unlock()
	l.reset(server)
}

func (l *link) find(server string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.away, server)
}

func (l *link) slowDown(each time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slow = each
}

// reset ends the connections to a server; "" to all of them.
func (l *link) reset(server string) {
	l.mu.Lock()
	var gone []*wire
	for w := range l.conns {
		if server == "" || w.server == server {
			gone = append(gone, w)
			delete(l.conns, w)
		}
	}
	l.mu.Unlock()
	for _, w := range gone {
		if tcp, ok := w.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = w.Conn.Close()
	}
}
