package capture

import (
	"testing"
	"time"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
)

// Half a megabyte in a topic must not take gigabytes in the poller, nor stop its entity.
func TestTheFoldPassesBatchesThatAreTooLargeInBoundedMemory(t *testing.T) { //nolint:paralleltest // it measures the process's memory
	const most = 250 << 20
	w := loaded(t)
	w.cfg.ScanEvery = time.Nanosecond
	bomb := kafkatest.NewBomb(t, "Sag:3", 300<<20)
	for i := range int32(6) {
		bomb.Produce(t, w.kafka.Brokers, w.kafka.Topic("Sag"), i%3)
	}
	w.put("Sag", 3, "ændret", stampAt(w.sim.Now()))
	took := machine.PeakHeap(w.mustOnce)
	t.Logf("%d MiB", took>>20)
	if took > most {
		t.Errorf("six batches of 300 MiB took %d MiB, want %d at most", took>>20, most>>20)
	}
	if last, _ := w.lastRecord(3); string(last.Data) != string(w.sim.Row("Sag", 3)) {
		t.Errorf("topic ends with %s for row 3, want %s", last.Data, w.sim.Row("Sag", 3))
	}
}
