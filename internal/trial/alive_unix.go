//go:build unix

package trial

import (
	"errors"
	"syscall"
)

// alive says whether a process of this id runs, of any user.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return pid > 0 && (err == nil || errors.Is(err, syscall.EPERM))
}
