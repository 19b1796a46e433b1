package faultproxy_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"odastream/internal/test/faultproxy"
)

// echo starts a server that sends back all that it receives.
func echo(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	return ln.Addr().String()
}

func dial(t *testing.T, addr string) (net.Conn, error) {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

func ask(c net.Conn, line string) (string, error) {
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

func TestProxyForwardsUntilDownAndAgainAfterUp(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, echo(t))
	addr := p.Addr()
	first, err := dial(t, addr)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ask(first, "hello"); err != nil || got != "hello\n" {
		t.Fatalf("read through the proxy: %q, %v", got, err)
	}
	p.Down()
	if got, err := ask(first, "still there?"); err == nil {
		t.Errorf("read through the broken connection: %q", got)
	}
	if _, err := dial(t, addr); err == nil {
		t.Error("a proxy that is down accepts connections")
	}
	if err := p.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	second, err := dial(t, addr)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ask(second, "again"); err != nil || got != "again\n" {
		t.Errorf("read after Up: %q, %v", got, err)
	}
}

func TestDownAfterCutsAConnectionMidway(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, echo(t))
	c, err := dial(t, p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	tripped := p.DownAfter(3)
	if got, err := ask(c, "hello"); err == nil {
		t.Errorf("read %q, want an error after three bytes", got)
	}
	<-tripped
	if _, err := dial(t, p.Addr()); err == nil {
		t.Error("the proxy still accepts connections")
	}
}

func TestDelaySlowsTheProxyUntilItIsReset(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, echo(t))
	c, err := dial(t, p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	const delay = 30 * time.Millisecond
	p.Delay(delay)
	began := time.Now()
	if got, err := ask(c, "hello"); err != nil || got != "hello\n" {
		t.Fatalf("read through the slow proxy: %q, %v", got, err)
	}
	if took := time.Since(began); took < 2*delay {
		t.Errorf("question and answer took %s, want %s for each", took, delay)
	}
	p.Delay(time.Hour)
	p.Delay(0)
	if got, err := ask(c, "hello"); err != nil || got != "hello\n" {
		t.Errorf("read through the proxy without delay: %q, %v", got, err)
	}
}

func TestSilentAfterSwallowsAndKeepsConnectionsOpen(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, echo(t))
	c, err := dial(t, p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ask(c, "hello"); err != nil || got != "hello\n" || p.Sent() != len(got) {
		t.Fatalf("through the proxy came %q, %v; %d bytes were sent", got, err, p.Sent())
	}
	silent := p.SilentAfter(2)
	if _, err := io.WriteString(c, "lost\n"); err != nil {
		t.Fatal(err)
	}
	<-silent
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, 9)
	n, err := c.Read(rest)
	for err == nil && n <= 2 { // what was sent before may still come back
		var more int
		more, err = c.Read(rest[n:])
		n += more
	}
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() || n > 2 {
		t.Errorf("through the silent proxy came %q, %v, want two bytes at most and no end", rest[:n], err)
	}
}

// The server answers at once to the last byte that reaches it.
func TestTheAnswerToTheLastByteIsSwallowed(t *testing.T) {
	t.Parallel()
	server := echo(t)
	for range 200 {
		p := faultproxy.New(t, server)
		c, err := dial(t, p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		tripped := p.SilentAfter(len("over\n"))
		if _, err := io.WriteString(c, "over\n"); err != nil {
			t.Fatal(err)
		}
		<-tripped
		if err := c.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n > 0 {
			t.Fatalf("the answer came through a proxy that fell silent: %d bytes, %v", n, err)
		}
		p.Down()
	}
}

func TestSilenceSwallowsWhatIsDelayed(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, echo(t))
	c, err := dial(t, p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ask(c, "hello"); err != nil || got != "hello\n" {
		t.Fatalf("through the proxy came %q, %v", got, err)
	}
	p.Delay(300 * time.Millisecond)
	if _, err := io.WriteString(c, "lost\n"); err != nil {
		t.Fatal(err)
	}
	<-time.After(100 * time.Millisecond)
	p.Silence()
	if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := c.Read(make([]byte, 9))
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() || n > 0 {
		t.Errorf("through the silent proxy came %d bytes, %v, want none and no end", n, err)
	}
}
