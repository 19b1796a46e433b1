package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/checker"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/program"
	"odastream/odasim"
	"odastream/schema"
	"odastream/verify"
)

// mostMemory is what a program may take, in bytes, whatever it is sent.
const mostMemory = 300 << 20

// strangeRows is the entity of hostile rows. Not all of them can be kept by Postgres.
const strangeRows = "Sagskategori"

// hostileWorld is a rig whose source and whose topics' writers mean ill.
type hostileWorld struct {
	*rig
	rand   *rand.Rand
	author *checker.Author
	writer *kgo.Client
}

// Whatever a source and the writers of topics did: the copy ends equal to the source, and
// at any time verify says what independent counts say.
func TestAHostileWorldEndsEqual(t *testing.T) {
	t.Parallel()
	entities := []string{"Sag", "Sagstype", strangeRows}
	w := newHostileWorld(t, entities)
	for round := range uint64(3) {
		w.sim.SetFaults(odasim.Faults{
			Seed: round, EmptyRate: 0.2, LagRate: 0.3, ForeignRate: 0.05, OversizeRate: 0.1, ShortRate: 0.3, BombRate: 0.03, RedirectRate: 0.03,
		})
		w.change()
		w.write()
		w.once("poller")
		w.once("sink")
		w.sim.SetFaults(odasim.Faults{Seed: round, EmptyRate: 0.2})
		w.compare(entities)
	}
	w.sim.SetFaults(odasim.Faults{})
	w.sim.Advance(time.Hour)
	for range 2 {
		w.must("poller", "--once")
	}
	w.must("sink", "--once")
	w.checkCopyOf("Sag", "Sagstype")
	if wrong := w.compare(entities); wrong != 0 {
		t.Errorf("%d rows differ of those that Postgres can keep", wrong)
	}
}

func newHostileWorld(t *testing.T, entities []string) *hostileWorld {
	t.Helper()
	r := newRig(t, kafkatest.Fake(t), odasim.Options{Lag: 10 * time.Minute}, "ODA_ENTITIES="+strings.Join(entities, ","), "SCAN_EVERY=1s")
	random := rand.New(rand.NewPCG(1, 0x40571e))
	w := &hostileWorld{
		rig: r, rand: random,
		author: &checker.Author{Rand: random, Entities: []string{"Sag"}, FirstID: 1, IDs: 20, Seq: time.Now().UnixMicro()},
	}
	w.sim.Generate(5, 0.02)
	for _, row := range odasim.HostileRows(1_000_000, odasim.Stamp(w.sim.Now())) {
		if err := w.sim.Put(strangeRows, row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.topics.Ensure(t.Context(), entities); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.writer, err = kgo.NewClient(kgo.SeedBrokers(r.kafka.Brokers...), kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.GzipCompression())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.writer.Close)
	return w
}

// change changes, adds and removes rows of Sag.
func (w *hostileWorld) change() {
	w.t.Helper()
	for range 20 {
		id := 1 + w.rand.Int64N(30)
		if w.rand.IntN(5) == 0 {
			w.sim.Delete("Sag", id)
			continue
		}
		row := fmt.Appendf(nil, `{"id":%d,"titel":"nr. %d","opdateringsdato":%q}`, id, w.rand.Int(), odasim.Stamp(w.sim.Now()))
		if err := w.sim.Put("Sag", row); err != nil {
			w.t.Fatal(err)
		}
	}
}

// write writes hostile records to the topic of Sag.
func (w *hostileWorld) write() {
	w.t.Helper()
	for range 10 {
		key, value, header := w.author.Hostile("Sag")
		rec := &kgo.Record{Topic: w.kafka.Topic("Sag"), Key: key, Value: value, Headers: []kgo.RecordHeader{{Key: "x", Value: []byte(header)}}}
		if err := w.writer.ProduceSync(w.t.Context(), rec).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// once runs a program to its end, which may be a fault, and checks what memory it took.
func (w *hostileWorld) once(name string) {
	w.t.Helper()
	p := program.Start(w.t, name, w.command(name, "--once"))
	var took int
	machine.Wait{For: "the end of " + name, Progress: w.steps, Details: p.String}.Until(w.t, func() bool {
		took = max(took, p.Memory(w.t))
		return !p.Running()
	})
	if err := p.Wait(); err != nil {
		w.t.Logf("%s: %v", name, err)
	}
	w.t.Logf("%s took %d MiB", name, took>>20)
	if took == 0 || took > mostMemory {
		w.t.Errorf("%s took %d MiB, want %d at most", name, took>>20, mostMemory>>20)
	}
}

// places are what an independent look finds of an entity.
type places struct {
	source, ledger, cache, topic int64
}

// compare compares verify's numbers with independent ones. It returns the number of rows
// that are missing, extra or different, without hostile ones.
func (w *hostileWorld) compare(entities []string) (wrong int) {
	w.t.Helper()
	var stdout bytes.Buffer
	cmd := w.command("odastream", "verify", "--full", "--json")
	cmd.Stdout = &stdout
	err := w.end(program.Start(w.t, "odastream", cmd))
	var report verify.Report
	if json.Unmarshal(stdout.Bytes(), &report) != nil || len(report.Entities) != len(entities) {
		w.t.Fatalf("odastream verify: %v: %s", err, &stdout)
	}
	if report.OK != (err == nil) {
		w.t.Errorf("verify ends with %v, and its report is OK: %v", err, report.OK)
	}
	for _, e := range report.Entities {
		want := w.look(e.Name)
		if got := (places{e.Source, e.Ledger, e.Cache, want.topic}); got != want {
			w.t.Errorf("%s: verify counts %+v, want %+v", e.Name, got, want)
		}
		if e.Name != strangeRows {
			wrong += e.Missing + e.Extra + e.Different
		}
		if e.Trouble == "" && e.Missing+e.Extra+e.Different == 0 && (want.source != want.ledger || want.ledger != want.cache || want.cache != want.topic) {
			w.t.Errorf("%s: verify finds no difference between %+v", e.Name, want)
		}
	}
	return wrong
}

// look counts the rows of an entity in all places.
func (w *hostileWorld) look(entity string) places {
	w.t.Helper()
	live := map[int64]bool{}
	newest := map[int64]int64{}
	_, err := w.topics.ReadLog(w.t.Context(), entity, nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			m, err := w.kafka.Decode(rec)
			if c := m.Change; err == nil && c.Seq >= newest[c.ID] {
				newest[c.ID], live[c.ID] = c.Seq, c.Action != schema.Delete
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	found := places{source: int64(w.sim.Len(entity))}
	for _, there := range live {
		if there {
			found.topic++
		}
	}
	found.ledger = w.number(fmt.Sprintf(`SELECT count(*) FROM poller_ledger WHERE entity_type = '%s' AND (hash IS NOT NULL OR seq = 0)`, entity))
	found.cache = w.number(fmt.Sprintf(`SELECT count(*) FROM parliamentary_data WHERE entity_type = '%s'`, entity))
	return found
}
