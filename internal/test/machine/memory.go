package machine

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// memoryEvery is the pause between two looks at the memory in use.
const memoryEvery = 200 * time.Microsecond

// PeakHeap runs do and returns how far the heap grew meanwhile, in bytes, garbage
// included. Nothing else should run in the process.
func PeakHeap(do func()) (grown uint64) {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	before, peak := sample[0].Value.Uint64(), uint64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(memoryEvery)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	do()
	close(stop)
	<-stopped
	return peak - min(peak, before)
}
