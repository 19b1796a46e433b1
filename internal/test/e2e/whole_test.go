package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/program"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

func TestEveryRowArrives(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		capture string
		options odasim.Options
		rows    int
	}{
		"the real rows of 2019-03":                            {"2019-03", odasim.Options{}, 68239},
		"the real rows of 2014-10, 267,174 tied Stemme among": {"2014-10", odasim.Options{}, 271917},
		"made rows":                     {"", odasim.Options{}, 0},
		"made rows in pages of 20":      {"", odasim.Options{PageCap: 20}, 0},
		"made rows with stamps as text": {"", odasim.Options{Compare: odasim.CompareText}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kafkatest.Real(t), c.options)
			if c.capture == "" {
				r.sim.Generate(1, 0.5)
			} else if err := r.sim.Load(capture(t, c.capture)); err != nil {
				t.Fatal(err)
			}
			r.must("poller", "--once")
			r.must("sink", "--once")
			rows := r.checkCopy()
			if rows == 0 || c.rows != 0 && rows != c.rows {
				t.Errorf("compared %d rows, want %d", rows, c.rows)
			}
			r.checkUnchangedSource()
		})
	}
}

// A deleted topic is created again with the partitions that are configured now. The copy
// is then complete again, and rows that were meanwhile deleted at the source are gone.
func TestTheCopySurvivesADeletedTopic(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Real(t), odasim.Options{}, "ODA_ENTITIES=Sag", "KAFKA_PARTITIONS=5")
	r.sim.Generate(3, 0.1)
	r.must("poller", "--once")
	r.must("sink", "--once")
	r.deleteTopic("Sag")
	rows := r.sim.Rows("Sag")
	for _, row := range rows[:5] {
		r.sim.Delete("Sag", rowID(t, row))
	}
	r.must("poller", "--once")
	r.must("sink", "--once")
	if got := r.checkCopyOf("Sag"); got != len(rows)-5 {
		t.Errorf("compared %d rows, want %d", got, len(rows)-5)
	}
}

// deleteTopic deletes the topic of entity and returns once it is gone.
func (r *rig) deleteTopic(entity string) {
	r.t.Helper()
	if _, err := kadm.NewClient(r.client).DeleteTopic(r.t.Context(), r.kafka.Topic(entity)); err != nil {
		r.t.Fatal(err)
	}
	machine.Until(r.t, "the end of the topic", func() bool {
		_, err := r.topics.State(r.t.Context(), entity)
		return errors.Is(err, stream.ErrNoTopic)
	})
}

// checkUnchangedSource checks that a second run publishes nothing, that a change is
// published once, and that a stale record changes nothing.
func (r *rig) checkUnchangedSource() {
	r.t.Helper()
	before := r.records("Afstemning")
	r.must("poller", "--once")
	if got := r.records("Afstemning"); got != before {
		r.t.Errorf("second run published %d records of an unchanged source", got-before)
	}
	row := r.sim.Rows("Afstemning")[0]
	if err := r.sim.Put("Afstemning", []byte(`{"id":99999999,"konklusion":"ny","opdateringsdato":"`+odasim.Stamp(r.sim.Now())+`"}`)); err != nil {
		r.t.Fatal(err)
	}
	r.must("poller", "--once")
	r.must("poller", "--once")
	if got := r.records("Afstemning"); got != before+1 {
		r.t.Errorf("one change made %d records", got-before)
	}
	r.publishStale(row)
	r.must("sink", "--once")
	r.checkCopy()
}

// publishStale writes a version of a row that is older than the cache's.
func (r *rig) publishStale(row []byte) {
	r.t.Helper()
	pub, err := stream.NewPublisher(r.kafka, quiet(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer pub.Close()
	c := schema.Change{
		Entity: "Afstemning", ID: rowID(r.t, row), Action: schema.Update, Seq: 1, Timestamp: time.Now(),
		Origin: schema.OriginTail, Data: []byte(`{"id":1,"konklusion":"gammel"}`),
	}
	if _, err := pub.Publish(r.t.Context(), []schema.Change{c}); err != nil {
		r.t.Fatal(err)
	}
}

// SIGKILL at many moments loses nothing and publishes nothing twice. The test
// locks the ledger against writing first, so that the kill falls between an
// acknowledgement and its save.
func TestProgramsKilledAtAnyMomentLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Real(t), odasim.Options{}, "ODA_ENTITIES=Sag,Sagstrin,Stemme,Afstemning,Dokument", "CACHE_GIN=off")
	r.sim.Generate(5, 3)
	r.sim.SetFaults(odasim.Faults{Latency: time.Millisecond})
	between := 0
	for round := range int64(10) {
		killed := r.kill(func(p *program.Process) func() {
			saved := machine.Wait{For: "rows of the ledger", Progress: func() any { return r.saved() }}
			p.Until(t, saved, func() bool { return r.saved() > round*2000 })
			unlock := r.lockLedger()
			ahead := machine.Wait{For: "a record that the ledger does not know", Progress: r.steps}
			p.Until(t, ahead, func() bool { return r.acknowledged() > r.saved() })
			return unlock
		}, "poller", "--once")
		if !killed {
			break
		}
		if r.acknowledged() > r.saved() {
			between++
		}
		r.freeLeases()
	}
	t.Logf("%d kills fell between an acknowledgement and its save", between)
	if between == 0 {
		t.Error("no kill fell between an acknowledgement and its save: the test shows nothing")
	}
	r.must("poller", "--once")
	r.checkNothingTwice()
	for applied := int64(0); ; {
		killed := r.kill(func(p *program.Process) func() {
			more := machine.Wait{For: "more rows in the cache", Progress: r.steps}
			p.Until(t, more, func() bool { return r.number(`SELECT count(*) FROM parliamentary_data`) > applied })
			return nil
		}, "sink", "--once")
		applied = r.number(`SELECT count(*) FROM parliamentary_data`)
		if !killed {
			break
		}
	}
	r.must("sink", "--once")
	if r.checkCopyOf("Sag", "Sagstrin", "Stemme", "Afstemning", "Dokument") == 0 {
		t.Error("no row compared")
	}
}

// lockLedger allows reads of the ledger but no writes until unlock.
func (r *rig) lockLedger() (unlock func()) {
	r.t.Helper()
	tx, err := r.pool.Begin(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	unlock = func() { _ = tx.Rollback(context.WithoutCancel(r.t.Context())) }
	r.t.Cleanup(unlock) // the pool waits for it
	if _, err := tx.Exec(r.t.Context(), `LOCK TABLE poller_ledger IN EXCLUSIVE MODE`); err != nil {
		r.t.Fatalf("lock the ledger: %v", err)
	}
	return unlock
}

func TestASecondPollerWaitsAndTakesOver(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Real(t), odasim.Options{}, "ODA_ENTITIES=Sag", "POLL_INTERVAL=50ms", "POLL_INTERVAL_MAX=100ms")
	r.sim.Generate(5, 0.05)
	holder := func() (name string) {
		_ = r.pool.QueryRow(t.Context(), `SELECT holder FROM poller_leases WHERE expires_at > now()`).Scan(&name)
		return name
	}
	var first, second string
	r.kill(func(p *program.Process) func() {
		program.Await(t, machine.Wait{For: "the first load", Progress: func() any { return r.saved() }}, func() bool {
			first = holder()
			return first != "" && r.number(`SELECT count(*) FROM poller_watermarks WHERE loaded_at IS NOT NULL`) == 1
		}, p)
		r.kill(func(other *program.Process) func() {
			two := machine.Wait{For: "two members"}
			program.Await(t, two, func() bool { return r.number(`SELECT count(*) FROM poller_members`) == 2 }, p, other)
			// The one of the two pollers that has the entity is killed, and a third one
			// takes over.
			return nil
		}, "poller")
		return nil
	}, "poller")
	r.kill(func(p *program.Process) func() {
		program.Await(t, machine.Wait{For: "another holder"}, func() bool { second = holder(); return second != "" && second != first }, p)
		if err := r.sim.Put("Sag", []byte(`{"id":99999999,"titel":"ny","opdateringsdato":"`+odasim.Stamp(r.sim.Now())+`"}`)); err != nil {
			t.Error(err)
		}
		all := machine.Wait{For: "a record of each row", Progress: func() any { return r.records("Sag") }}
		program.Await(t, all, func() bool { return r.records("Sag") == int64(r.sim.Len("Sag")) }, p)
		return nil
	}, "poller")
	if first == "" || second == "" || first == second {
		t.Errorf("holders were %q and %q, want two", first, second)
	}
	if got := r.records("Sag"); got != int64(r.sim.Len("Sag")) {
		t.Errorf("topic holds %d records, want %d", got, r.sim.Len("Sag"))
	}
	r.checkNothingTwice()
}
