package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"odastream/internal/host/flock"
)

const (
	// The files of tests lie in memory where the machine can spare this much: in a
	// whole run they take up to 2 GiB at once.
	memoryFree = 6 << 30
	// memorySlots is how many runs may have their files in memory at once.
	memorySlots = 8
)

// inMemory returns environ with a temporary directory on a file system in memory, and
// sets it for this process too. A test's database has a thousand files, and to make
// them takes a tenth as long there as on a disk. The go command still builds on the disk.
// Without such a file system, or where the caller names a directory by TMPDIR, environ
// stays as it is. release removes the directory; what a killed run left is removed by
// the next.
func inMemory(environ []string, log *slog.Logger) (_ []string, release func()) {
	nothing := func() {}
	if os.Getenv("TMPDIR") != "" {
		return environ, nothing
	}
	root := memoryRoot(memoryFree)
	if root == "" {
		return environ, nothing
	}
	dir, release, err := takeDirectory(root)
	if err == nil {
		err = os.Setenv("TMPDIR", dir)
	}
	if err != nil {
		log.Warn("tests keep their files on the disk", "err", err)
		return environ, nothing
	}
	if os.Getenv("GOTMPDIR") == "" {
		environ = append(environ, "GOTMPDIR="+disk)
	}
	return append(environ, "TMPDIR="+dir), release
}

// disk is where temporary files lie by default.
const disk = "/tmp"

// takeDirectory makes an empty directory below root that no other run uses.
func takeDirectory(root string) (dir string, release func(), err error) {
	prefix := filepath.Join(root, "odastream-tests-"+strconv.Itoa(os.Getuid())+"-")
	slot, dir, err := flock.Slot(prefix, memorySlots)
	if err != nil {
		return "", nil, err
	}
	release = func() {
		_ = os.RemoveAll(dir)
		slot.Unlock()
	}
	if err := os.RemoveAll(dir); err != nil {
		slot.Unlock()
		return "", nil, fmt.Errorf("clear directory for tests: %w", err)
	}
	// Postgres runs as another account where we are root, and must be able to enter.
	if err := os.Mkdir(dir, 0o755); err != nil {
		slot.Unlock()
		return "", nil, fmt.Errorf("make directory for tests: %w", err)
	}
	return dir, release, nil
}
