package program

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"testing"
)

// Memory returns the most memory that the process has held until now, in bytes. It is 0
// once the process has ended.
//
// The maximum of wait4(2) is not used: a child shares its parent's memory until it calls
// exec, and Linux takes the parent's maximum for the child's.
func (p *Process) Memory(t testing.TB) int {
	t.Helper()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Fatalf("the memory of a process is read from proc(5), which this system lacks: %v", err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		var kib int
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}
