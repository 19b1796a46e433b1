//go:build unix

package trial

import (
	"errors"
	"syscall"
)

// alive tells whether a process of this id runs, whoever's it is.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return pid > 0 && (err == nil || errors.Is(err, syscall.EPERM))
}
