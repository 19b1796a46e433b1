package apply_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
)

// Half a megabyte in a topic must not take gigabytes in the sink. The batches are
// dead-lettered, and the records behind them are applied.
func TestBatchesThatAreTooLargeAreDeadLetteredInBoundedMemory(t *testing.T) { //nolint:paralleltest // it measures the process's memory
	const most = 250 << 20
	r := newRig(t, kafkatest.Fake(t), "Sag")
	bomb := kafkatest.NewBomb(t, "Sag:1", 300<<20)
	var want []string
	for i := range int32(6) {
		r.publish(20)
		want = append(want, at(bomb.Produce(t, r.kafka.Brokers, r.kafka.Topic("Sag"), i%3), "too_large "))
	}
	r.publish(20)
	took := machine.PeakHeap(func() { r.once(r.sink(r.url, r.config(), nil)) })
	t.Logf("%d MiB", took>>20)
	if took > most {
		t.Errorf("six batches of 300 MiB took %d MiB, want %d at most", took>>20, most>>20)
	}
	got := strings.Split(r.dead(), "\n")
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if diff := r.differ(); diff != "" {
		t.Errorf("cache: %s", diff)
	}
	if got := r.value(`SELECT error FROM dead_letters ORDER BY partition, "offset" LIMIT 1`); !strings.Contains(got, "offsets ") || !strings.Contains(got, r.kafka.Topic("Sag")) {
		t.Errorf("the dead letter says %q, want it to name the batch", got)
	}
	if got := r.letters("Sag"); len(got) != len(want) {
		t.Errorf("dead letters on the topic = %q, want %d", got, len(want))
	}
}

// A member of a group goes on behind such a batch, too, and does not read it again.
func TestAGroupGoesOnBehindABatchThatIsTooLarge(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag")
	bomb := kafkatest.NewBomb(t, "Sag:1", 50<<20)
	for i := range 2 {
		r.publish(20)
		bomb.Produce(t, r.kafka.Brokers, r.kafka.Topic("Sag"), 1)
		r.publish(20)
		stop := r.run(r.sink(r.url, r.config(), nil))
		r.awaitModel()
		r.await("the dead letter", func() bool { return r.value(`SELECT count(*) FROM dead_letters`) == strconv.Itoa(i+1) })
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Split(r.dead(), "\n"); len(got) != 2 {
		t.Errorf("dead letters %q, want 2", got)
	}
}
