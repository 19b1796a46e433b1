package session

import (
	"net"
	"time"
)

// newDialer makes connections that end by themselves once the other end has
// vanished, in 5 s + 3 · 2 s where nothing is said, and 10 s after the last word
// that nobody has acknowledged.
func newDialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
		Control:         control,
	}
}
