//go:build unix && !linux

package child

import "syscall"

// Other systems have no such signal. A server that outlives us is found "already running"
// at the next start.
func setDeathSignal(*syscall.SysProcAttr, DeathSignal) {}
