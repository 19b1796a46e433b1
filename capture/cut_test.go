package capture

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// cutTopic removes the records of Sag's topic before an offset of a partition, as a
// cleanup.policy of delete does. At -1 it removes all.
func (w *world) cutTopic(partition int32, before int64) {
	w.t.Helper()
	topic, admin := w.kafka.Topic("Sag"), w.admin()
	w.setCleanup(admin, "delete")
	cut := kadm.Offsets{}
	cut.Add(kadm.Offset{Topic: topic, Partition: partition, At: before})
	done, err := admin.DeleteRecords(w.t.Context(), cut)
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.setCleanup(admin, "compact")
}

func (w *world) setCleanup(admin *kadm.Client, policy string) {
	w.t.Helper()
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}
	if _, err := admin.AlterTopicConfigs(w.t.Context(), change, w.kafka.Topic("Sag")); err != nil {
		w.t.Fatal(err)
	}
}

// Compaction never moves a topic's start. Where it moved, rows are lost that the ledger
// takes for published.
func TestATopicThatLostItsFrontIsFilledAgain(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]int64{"all records": -1, "the first record of each partition": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := loaded(t)
			for partition := range int32(3) {
				w.cutTopic(partition, before)
			}
			for range 2 {
				w.mustOnce()
				w.checkTopic("Sag")
				if got := len(w.messages("Sag")); got != 10 {
					t.Errorf("topic holds %d records, want each row once", got)
				}
			}
		})
	}
}

// A poller that runs for months notices it at its next scan.
func TestATopicThatLosesItsFrontDuringASessionEndsIt(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.cfg.ScanEvery = w.cfg.Interval
	_, stop := w.follow()
	defer stop()
	for partition := range int32(3) {
		w.cutTopic(partition, -1)
	}
	w.eventually("all rows are on the topic again", func() bool { return len(w.messages("Sag")) == 10 })
	w.checkTopic("Sag")
}
