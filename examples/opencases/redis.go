package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// replyWithin bounds a command, its reply included.
const replyWithin = 10 * time.Second

// redis is a connection to a Redis server. It speaks only as much of RESP2 as commands
// with integer replies need. It is not safe for concurrent use.
type redis struct {
	conn net.Conn
	in   *bufio.Reader
}

// dial connects to HOST:PORT.
func dial(ctx context.Context, addr string) (*redis, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("reach Redis: %w (REDIS_ADDR says where it is)", err)
	}
	return &redis{conn: conn, in: bufio.NewReader(conn)}, nil
}

func (r *redis) close() { _ = r.conn.Close() }

// do sends a command and returns its answer. An error answer is returned as an error.
// After any other error the connection cannot be used any more.
func (r *redis) do(args ...string) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if err := r.conn.SetDeadline(time.Now().Add(replyWithin)); err != nil {
		return 0, fmt.Errorf("%s: %w", args[0], err)
	}
	if _, err := io.WriteString(r.conn, b.String()); err != nil {
		return 0, fmt.Errorf("%s: %w", args[0], err)
	}
	line, err := r.in.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("%s: %w", args[0], err)
	}
	n, err := answer(strings.TrimSuffix(line, "\r\n"))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", args[0], err)
	}
	return n, nil
}

// answer reads a line of RESP that is a number or an error.
func answer(line string) (int64, error) {
	switch {
	case strings.HasPrefix(line, ":"):
		return strconv.ParseInt(line[1:], 10, 64)
	case strings.HasPrefix(line, "-"):
		return 0, errors.New(line[1:])
	}
	return 0, fmt.Errorf("answer %q is no number", line)
}
