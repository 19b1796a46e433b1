package main

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
)

// tmpfsMagic is the type of a file system in memory (statfs(2)).
const tmpfsMagic = 0x01021994

// memoryRoot returns the directory of a file system in memory with at least free bytes,
// of which the machine can spare as many; "" if there is none.
func memoryRoot(free uint64) string {
	const root = "/dev/shm"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(root, &fs); err != nil || fs.Type != tmpfsMagic {
		return ""
	}
	if fs.Bavail*uint64(fs.Bsize) < free || availableMemory() < free { //nolint:gosec // a block is not of negative size
		return ""
	}
	return root
}

// availableMemory returns how many bytes programs may still take without swapping, as
// the kernel estimates it (proc(5)); 0 if it does not say.
func availableMemory() uint64 {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var kib uint64
		if n, _ := fmt.Sscanf(lines.Text(), "MemAvailable: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}
