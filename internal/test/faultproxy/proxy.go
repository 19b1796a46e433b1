// Package faultproxy provides a proxy between a program and a server in tests that can
// make the server unreachable and reachable again. Connections break in the middle of
// their data, and new ones are refused, as in a failover. It can also be slow, or fall
// silent: connections stay open and carry nothing, as if a client were frozen.
//
// Invariant: after Down has returned, no byte passes until Up. The package knows nothing
// of the data.
package faultproxy

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy forwards TCP connections. Its methods are safe for concurrent use.
type Proxy struct {
	target string

	mu      sync.Mutex
	addr    string
	ln      net.Listener // nil while down
	conns   map[net.Conn]bool
	sent    int    // bytes from clients so far
	after   int    // bytes from clients after which trip is called; 0: never
	trip    func() // under mu
	tripped chan struct{}
	mute    bool // what servers send is swallowed
	silent  bool // what either side sends is swallowed
	delay   time.Duration
}

// New starts a proxy to target, a host:port or the path of a Unix socket. It is up, and
// ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{target: target, addr: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	if err := p.Up(t.Context()); err != nil {
		t.Fatalf("faultproxy: %v", err)
	}
	t.Cleanup(p.Down)
	return p
}

// Addr returns the proxy's host:port, which Down and Up do not change.
func (p *Proxy) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addr
}

// Up makes the proxy accept connections (again).
func (p *Proxy) Up(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		return nil
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", p.addr)
	if err != nil {
		return err
	}
	p.ln, p.addr, p.mute = ln, ln.Addr().String(), false
	go p.accept(ln) //nolint:contextcheck // ctx is of the call; what is accepted outlives it
	return nil
}

// Down breaks every connection and refuses new ones.
func (p *Proxy) Down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down()
}

func (p *Proxy) down() {
	if p.ln != nil {
		_ = p.ln.Close()
		p.ln = nil
	}
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as from a machine that died
		}
		_ = c.Close()
	}
	clear(p.conns)
}

// DownAfter makes the proxy go down once clients have sent n more bytes, and then closes
// the channel.
func (p *Proxy) DownAfter(n int) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after, p.trip, p.tripped = n, p.down, make(chan struct{})
	return p.tripped
}

// SilentAfter makes the proxy silent once clients have sent n more bytes, and then closes
// the channel. From then on it swallows what either side sends, for good.
func (p *Proxy) SilentAfter(n int) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after, p.trip, p.tripped = n, func() { p.silent = true }, make(chan struct{})
	return p.tripped
}

// Silence makes the proxy silent now, for good; what is delayed is swallowed too.
func (p *Proxy) Silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = true
}

// Sent returns how many bytes clients have sent so far.
func (p *Proxy) Sent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

// Delay delays each piece of data of either side by d from now on; 0 ends it.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

func (p *Proxy) accept(ln net.Listener) {
	for {
		client, err := ln.Accept()
		if err != nil {
			return // down
		}
		go p.forward(client)
	}
}

func (p *Proxy) forward(client net.Conn) {
	var d net.Dialer
	network := "tcp"
	if strings.HasPrefix(p.target, "/") {
		network = "unix"
	}
	server, err := d.DialContext(context.Background(), network, p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	if !p.keep(client, server) {
		return
	}
	go func() {
		_, _ = io.Copy(late{client, p, true}, server)
		_ = client.Close()
	}()
	_, _ = io.Copy(counted{late{server, p, false}, p}, client)
	_ = server.Close()
}

// keep registers a pair of connections, unless the proxy has gone down meanwhile.
func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.ln == nil {
			_ = c.Close()
			continue
		}
		p.conns[c] = true
	}
	return p.ln != nil
}

// late passes data on after the proxy's delay, unless the proxy is silent.
type late struct {
	io.Writer
	p        *Proxy
	toClient bool
}

// Write waits and passes b on.
func (l late) Write(b []byte) (int, error) {
	l.p.mu.Lock()
	delay, silent := l.p.delay, l.p.silent || l.toClient && l.p.mute
	l.p.mu.Unlock()
	if silent {
		return len(b), nil
	}
	if delay > 0 {
		<-time.After(delay)
		l.p.mu.Lock()
		silent = l.p.silent
		l.p.mu.Unlock()
		if silent {
			return len(b), nil
		}
	}
	return l.Writer.Write(b)
}

// counted passes a client's data on, up to the byte at which the proxy goes down or falls
// silent.
type counted struct {
	io.Writer
	p *Proxy
}

// Write passes b, or its first part, on. A server that answers to the last part before
// the proxy has tripped is not heard.
func (c counted) Write(b []byte) (int, error) {
	first, trip := c.count(b)
	n, err := c.Writer.Write(first)
	if !trip {
		return n, err
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.trip()
	close(c.p.tripped)
	if c.p.silent {
		return len(b), err
	}
	return n, io.ErrClosedPipe
}

// count returns the part of b that is to be passed on, and whether it is the last one.
func (c counted) count(b []byte) (first []byte, trip bool) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.p.after > 0 {
		if trip = len(b) >= c.p.after; trip {
			b, c.p.mute = b[:c.p.after], true
		}
		c.p.after -= len(b)
	}
	c.p.sent += len(b)
	return b, trip
}
