package stream

import (
	"fmt"
	"testing"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
)

// The poller takes a start that moved for lost records. The fake moves it when it
// compacts, Kafka does not.
func TestCompactionMovesNoStart(t *testing.T) {
	t.Parallel()
	b := newBench(t, kafkatest.Real(t))
	b.single(t)
	if _, err := b.topics.adm.CreateTopic(t.Context(), 1, 1, compactNow(), b.cfg.Topic("Sag")); err != nil {
		t.Fatal(err)
	}
	b.ensure(t, "Sag")
	p := b.publisher(t)
	publish(t, p, update("Sag", 1, 1), update("Sag", 2, 2), remove("Sag", 1, 3))
	var offsets []int64
	seq := int64(3)
	wait := machine.Wait{For: "the first records to be compacted away", Details: func() string { return fmt.Sprint("offsets ", offsets) }}
	wait.Until(t, func() bool {
		seq++
		publish(t, p, update("Sag", 2, seq)) // in a new segment: the last one is not compacted
		offsets, _ = b.read(t, nil)
		return offsets[0] > 0
	})
	state, err := b.topics.State(t.Context(), "Sag")
	if err != nil {
		t.Fatal(err)
	}
	if state.Start[0] != 0 {
		t.Errorf("topic starts at %d once the records before %d are compacted away, want 0", state.Start[0], offsets[0])
	}
}
