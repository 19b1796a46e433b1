package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/checker"
	"odastream/internal/test/machine"
	"odastream/internal/test/program"
	"odastream/stream"
)

// envHistories is the number of histories of real processes. Each takes a minute or two.
const envHistories = "ODASTREAM_E2E_HISTORIES"

// Real sinks, gateways, a real broker and a real Postgres are killed, frozen and started
// again. No snapshot has a row that is lost, duplicated or regressed, or an offset that
// moved without its rows. Each subscriber by HTTP and the reader by SQL have each change
// once. Then the database is restored from a backup. The subscribers notice nothing. The
// reader is told once that its cursor is too old, and then has what the history has.
//
//	ODASTREAM_E2E_HISTORIES=20 go test ./internal/test/e2e -run TestSinksUnderDuressAreExactlyOnce -timeout 2h
//	ODASTREAM_SEED=17 go test ./internal/test/e2e -run TestSinksUnderDuressAreExactlyOnce -v
func TestSinksUnderDuressAreExactlyOnce(t *testing.T) {
	t.Parallel()
	for _, seed := range checker.Seeds(t, envHistories, 1) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			d := newDuress(t, seed)
			t.Cleanup(func() {
				t.Logf("%d records; events:\n%s", d.records, strings.Join(d.events, "\n"))
				if t.Failed() {
					t.Logf("%s=%d replays it", checker.EnvSeed, seed)
				}
			})
			watched := checker.Watch(t.Context(), d.pool, d.scope, 40*time.Millisecond)
			defer watched()
			g := d.startGateways()
			d.live(g)
			log := d.log()
			last := d.awaitApplied(log)
			for len(d.sinks) > 0 {
				d.stop(d.sinks[0])
			}
			snapshots := append(watched(), last)
			t.Logf("%d snapshots", len(snapshots))
			for _, f := range checker.Judge(log, snapshots) {
				t.Error(f)
			}
			d.checkDeadLetters(last)
			g.end()
			g.check("in the end", 0)
			d.checkRestored(g)
		})
	}
}

// live runs one sink, then four, then two. All kinds of faults happen in some order, and
// a sink is frozen during some of them.
func (d *duress) live(g *gateways) {
	d.scale(1)
	d.publish(200)
	events := []func(){
		d.kill, d.kill, d.restartPostgres, d.crashPostgres, d.restartKafka, d.killKafka, d.reset, d.reset, d.slow, g.kill, g.kill, d.backUp,
	}
	d.rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	for i, event := range events {
		awake := func() {}
		switch i {
		case 2:
			d.scale(4)
		case 1, 4:
			if i == 1 {
				d.scale(2) // at least one is awake
			}
			d.publish(60)
			awake = d.freeze()
		case 7:
			d.scale(2)
		}
		d.publish(60)
		event()
		d.publish(60)
		d.pause(machine.Scale(time.Duration(d.rand.IntN(1500)) * time.Millisecond))
		awake()
	}
}

// awaitApplied waits until all is applied.
func (d *duress) awaitApplied(log *checker.Log) (last checker.Snapshot) {
	d.t.Helper()
	offsets := func() string { return fmt.Sprint("offsets ", last.Offsets) }
	applied := machine.Wait{For: "everything to be applied", Progress: func() any { return offsets() }, Details: offsets}
	program.Await(d.t, applied, func() bool {
		snapshot, err := checker.TakeSnapshot(d.t.Context(), d.pool, d.scope)
		if err == nil {
			last = snapshot
		}
		return err == nil && log.Applied(snapshot)
	}, d.running()...)
	d.note("all is applied")
	return last
}

// checkDeadLetters fails unless each dead letter of the database is on its topic at least
// once.
func (d *duress) checkDeadLetters(last checker.Snapshot) {
	d.t.Helper()
	client, err := stream.NewClient(d.kafka, quiet())
	if err != nil {
		d.t.Fatal(err)
	}
	defer client.Close()
	found := map[checker.Place]bool{}
	// A dead-letter topic is read like any other, by its name without the prefix.
	_, err = d.topics.ReadLog(d.t.Context(), "sag.dlq", nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			found[deadLetterPlace(rec)] = true
		}
		return nil
	})
	if err != nil {
		d.t.Fatalf("read dead letters: %v", err)
	}
	for place := range last.DeadLetters {
		if !found[place] {
			d.t.Errorf("the dead letter of %s is not on its topic", place)
		}
	}
	if len(last.DeadLetters) == 0 {
		d.t.Error("no dead letter: the test shows nothing of them")
	}
}

func deadLetterPlace(rec *kgo.Record) (place checker.Place) {
	for _, h := range rec.Headers {
		switch h.Key {
		case "dlq.topic":
			place.Topic = string(h.Value)
		case "dlq.partition":
			n, _ := strconv.ParseInt(string(h.Value), 10, 32)
			place.Number = int32(n)
		case "dlq.offset":
			place.Offset, _ = strconv.ParseInt(string(h.Value), 10, 64)
		}
	}
	return place
}
