package session

import (
	"strings"
	"syscall"
)

// tcpUserTimeout is Linux's TCP_USER_TIMEOUT, in milliseconds (tcp(7)).
const (
	tcpUserTimeout   = 0x12
	unacknowledgedMs = 10_000
)

func control(network, _ string, conn syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, unacknowledgedMs)
	})
	if err != nil {
		return err
	}
	return failed
}
