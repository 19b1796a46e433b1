package capture

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"odastream/schema"
	"odastream/stream"
)

// A topic that is deleted while a poller follows its entity is recreated and filled.
func TestATopicDeletedUnderADaemonIsRecreatedAndFilled(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	p, stop := w.follow()
	defer stop()
	frontier := func() time.Time { return p.Status().Entities[0].ConsistentThrough }
	w.eventually("the daemon follows", func() bool { return !frontier().IsZero() })
	before, err := w.topics.State(t.Context(), "Sag")
	if err != nil {
		t.Fatal(err)
	}
	w.deleteTopic("Sag")
	w.sim.Advance(time.Second)
	w.put("Sag", 11, "ny", stampAt(w.sim.Now())) // the daemon finds the topic deleted when it publishes this
	w.eventually("the topic is there again", func() bool {
		now, err := w.topics.State(t.Context(), "Sag")
		return err == nil && now.ID != before.ID
	})
	w.eventually("the topic is filled", func() bool { return len(w.changes("Sag")) >= 11 })
	w.checkTopic("Sag")
}

// To change the number of partitions, delete the topic: the error says so.
func TestARecreatedTopicMayHaveAnotherNumberOfPartitions(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.addPartitions("Sag", 2)
	if err := w.once(); !errors.Is(err, stream.ErrPartitionsChanged) {
		t.Fatalf("poller --once gives %v, want ErrPartitionsChanged", err)
	}
	w.kafka.Partitions = 5
	w.renewTopic("Sag")
	w.mustOnce()
	w.checkTopic("Sag")
	if state, err := w.topics.State(t.Context(), "Sag"); err != nil || state.Partitions() != 5 {
		t.Errorf("topic has %d partitions (%v), want 5", state.Partitions(), err)
	}
}

// A recreated topic is another topic, however many records it has: here more than the
// old one had, and none of one row.
func TestARecreatedTopicWithRecordsOfOthersIsFilled(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	old := w.changes("Sag")[1:]
	w.renewTopic("Sag")
	for range 5 {
		for i := range old {
			old[i].Data = sagRow(old[i].ID, "forkert", stampAt(atNoon()))
		}
		w.publishBehind(old...)
	}
	w.mustOnce()
	last := map[int64]schema.Change{}
	for _, c := range w.changes("Sag") {
		last[c.ID] = c
	}
	w.checkContent("Sag", last)
}

// After an unclean election a topic may have lost acknowledged records. These are
// published again, and no others.
func TestATopicTruncatedAtItsEndIsRepaired(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	// The ledger knows records after the topic's end. One row's record is lost.
	w.exec(`UPDATE poller_positions SET next_offset = next_offset + 1;
INSERT INTO poller_ledger SELECT entity_type, 11, seq, hash, stamp, fields FROM poller_ledger WHERE entity_id = 10`)
	w.put("Sag", 11, "først", stampAt(atNoon()))
	w.mustOnce()
	w.checkTopic("Sag")
	if got := len(w.messages("Sag")); got != 11 {
		t.Errorf("topic holds %d records, want the 10 of before and the lost one", got)
	}
}

// A zombie's record of a deleted row makes it exist again for every consumer, until
// the next scan.
func TestADeletedRowThatAZombiePublishesIsDeletedAgain(t *testing.T) {
	t.Parallel()
	w := many(t, 50)
	old := w.changes("Sag")[3]
	w.vanish(old.ID, old.ID)
	w.mustOnce()
	w.publishBehind(old)
	w.mustOnce()
	w.mustOnce()
	if last := w.lastOf(old.ID); last.Action != schema.Delete {
		t.Errorf("the topic ends with %s of a deleted row", last.Action)
	}
	if got := w.deletes(); got != 2 {
		t.Errorf("%d deletes, want 2", got)
	}
}

// The number of held-back deletes is a gauge, for an alert.
func TestHeldBackDeletesAreAMetric(t *testing.T) {
	t.Parallel()
	w := many(t, 600)
	w.vanish(1, 150)
	for _, want := range []float64{150, 0} {
		p, stop := w.process()
		err := p.Once(t.Context())
		stop()
		reg := prometheus.NewRegistry()
		reg.MustRegister(p.metrics.heldBackRows)
		families, errGather := reg.Gather()
		if errGather != nil || len(families) != 1 {
			t.Fatalf("Gather = %v, %v", families, errGather)
		}
		if got := families[0].GetMetric()[0].GetGauge().GetValue(); got != want {
			t.Errorf("gauge says %g rows are held back, want %g (%v)", got, want, err)
		}
	}
}
