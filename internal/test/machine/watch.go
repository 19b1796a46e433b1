package machine

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// sampleEvery is how often the memory is looked at.
const sampleEvery = 100 * time.Millisecond

// WatchMemory fails the test if the process uses more than most bytes of memory for
// objects, stacks and the runtime while the test runs. Other tests of the process count.
// Garbage hardly does: the collector works against a limit below most.
func WatchMemory(t testing.TB, most uint64) {
	t.Helper()
	runtime.GC() // of what tests before it left
	before := debug.SetMemoryLimit(int64(min(most/4*3, math.MaxInt64)))
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		ticker := time.NewTicker(sampleEvery)
		defer ticker.Stop()
		highest := usedMemory()
		for {
			select {
			case <-ticker.C:
				highest = max(highest, usedMemory())
			case <-stop:
				peak <- max(highest, usedMemory())
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		debug.SetMemoryLimit(before)
		used := <-peak
		t.Logf("the process used up to %d MiB", used>>20)
		if used > most {
			t.Errorf("the process used up to %d MiB, want %d at most", used>>20, most>>20)
		}
	})
}

// usedMemory returns the memory that the process has from the system and uses.
func usedMemory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapIdle
}
