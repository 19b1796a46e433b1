package session

import (
	"net"
	"time"
)

// newDialer returns a dialer whose connections end when the other end vanishes: after 5 s
// + 3 · 2 s if they are idle, and 10 s after sending data that is not acknowledged.
func newDialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
		Control:         control,
	}
}
