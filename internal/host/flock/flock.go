// Package flock locks a directory or a slot between processes, by a file that the kernel
// unlocks when its holder ends for any reason.
//
// Invariant: at most one process of a machine holds the lock of a path. It knows nothing
// of what the lock protects.
package flock

import (
	"errors"
	"fmt"
	"os"
	"strconv"
)

// ErrLocked is returned by Try when another process, or another Lock of this
// one, holds the lock.
var ErrLocked = errors.New("lock is held by another process")

// Lock is a held lock. It ends with Unlock or with the process.
type Lock struct{ file *os.File }

// Try takes the lock at path, and makes the file if it is missing. If the lock is held,
// it returns ErrLocked at once. On systems without flock(2) it always succeeds. Unlock does
// not remove the file: then two holders would be possible.
func Try(path string) (*Lock, error) { return open(path, false) }

// Wait takes the lock at path like Try, but waits until it is free. Work under such a
// lock must end by itself.
func Wait(path string) (*Lock, error) { return open(path, true) }

// Unlock releases the lock. A second call is no error.
func (l *Lock) Unlock() { _ = l.file.Close() }

func open(path string, wait bool) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock %s: %w", path, err)
	}
	if err := lock(file, wait); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("take lock %s: %w", path, err)
	}
	return &Lock{file: file}, nil
}

// Slot takes the first free one of n locks and returns its directory, "<prefix>0" to
// "<prefix>n-1", which it does not make. If none is free, the error wraps ErrLocked.
func Slot(prefix string, n int) (*Lock, string, error) {
	for i := range n {
		dir := prefix + strconv.Itoa(i)
		slot, err := Try(dir + ".lock")
		if err == nil {
			return slot, dir, nil
		}
		if !errors.Is(err, ErrLocked) {
			return nil, "", err
		}
	}
	return nil, "", fmt.Errorf("take one of %d slots at %s: %w", n, prefix, ErrLocked)
}
