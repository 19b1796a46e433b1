//go:build unix && !linux

package child

import "syscall"

// Other systems have no such signal: a server that outlives us is found as
// "already running" at the next start.
func setDeathSignal(*syscall.SysProcAttr, DeathSignal) {}
