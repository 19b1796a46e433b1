package capture

import (
	"errors"
	"testing"
	"time"

	"odastream/internal/test/kafkatest"
	"odastream/odasim"
)

// The main claims of the tests on the fake broker, on a real one: nothing is published
// twice or lost in a crash, a zombie's record is repaired, a recreated topic is filled.
func TestOnRealKafka(t *testing.T) {
	t.Parallel()
	brokers := kafkatest.Real(t)
	for claim, test := range map[string]func(t *testing.T, w *world){
		"the second run publishes only what changed": func(t *testing.T, w *world) {
			w.mustOnce()
			if got := len(w.messages("Sag")); got != 70 {
				t.Fatalf("second run: topic holds %d records, want 70", got)
			}
			w.put("Sag", 71, "ny", stampAt(w.sim.Now()))
			w.vanish(5, 5)
			if err := w.sim.Edit("Sag", 6, "titel", "rettet i stilhed"); err != nil {
				t.Fatal(err)
			}
			w.mustOnce()
			if got := len(w.messages("Sag")); got != 70+1+2+1 {
				t.Errorf("topic holds %d records, want a create, a delete with its tombstone and an update more", got)
			}
		},
		"a crash after half a publish": func(t *testing.T, w *world) {
			for id := range int64(40) {
				w.put("Sag", 20+id, "siden", stampAt(w.sim.Now()))
			}
			for step := 1; step <= 6; step++ {
				restore := w.living(&life{how: diesWithin, left: step})
				if err := w.once(); err != nil && !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				restore()
				w.expireLeases()
			}
			w.mustOnce()
			w.checkTopic("Sag")
			if got := len(w.changes("Sag")); got != 70+40 {
				t.Errorf("topic holds %d changes, want 110: each once", got)
			}
		},
		"a lost database": func(t *testing.T, w *world) {
			w.exec(loseLedger)
			w.mustOnce()
			if got := len(w.messages("Sag")); got != 70 {
				t.Errorf("topic holds %d records, want the 70 of before", got)
			}
		},
		"a zombie's late record": func(t *testing.T, w *world) {
			old := w.changes("Sag")[0]
			w.put("Sag", old.ID, "ny", stampAt(w.sim.Now()))
			w.mustOnce()
			w.publishBehind(old)
			w.mustOnce()
			if got := member(w.lastOf(old.ID).Data, "titel"); got != `"ny"` {
				t.Errorf("topic ends with %s, want the new version again", got)
			}
		},
		"a recreated topic": func(t *testing.T, w *world) {
			w.deleteTopic("Sag")
			w.eventually("the topic is deleted and recreated", func() bool { return w.once() == nil })
			w.checkTopic("Sag")
			if got := len(w.messages("Sag")); got != 70 {
				t.Errorf("recreated topic holds %d records, want 70", got)
			}
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWorldOn(t, brokers, odasim.Options{PageCap: 20}, "Sag")
			w.cfg.ScanEvery = time.Nanosecond
			w.sim.SetNow(atNoon())
			for id := range int64(70) {
				w.put("Sag", id+1, "først", stampAt(atNoon()))
			}
			w.mustOnce()
			w.sim.Advance(time.Second)
			test(t, w)
		})
	}
}
