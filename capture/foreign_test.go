package capture

import (
	"errors"
	"math"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// produce writes a record to the topic of Sag, in the partition of the key.
func (w *world) produce(key, value string) {
	w.t.Helper()
	rec := &kgo.Record{Topic: w.kafka.Topic("Sag"), Key: []byte(key), Value: []byte(value)}
	if err := w.client.ProduceSync(w.t.Context(), rec).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// A record of another entity says nothing of the rows of this one.
func TestTheFoldIgnoresRecordsOfOtherEntities(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.cfg.ScanEvery = time.Nanosecond
	for _, entity := range []string{"Aktør", "SAG"} {
		for _, id := range []int64{3, 900_001} {
			c := schema.Change{
				Entity: entity, ID: id, Action: schema.Update, Seq: time.Now().UnixMicro(), Timestamp: time.Now(),
				Origin: schema.OriginTail, Data: sagRow(id, "fremmed", stampAt(w.sim.Now())),
			}
			w.produce(c.Key(), string(c.AppendJSON(nil)))
		}
	}
	w.mustOnce()
	if got := len(w.messages("Sag")); got != 10+4 {
		t.Errorf("topic holds %d records, want 14: ten rows and four foreign records, none published for them", got)
	}
}

// What a record holds stops neither the fold nor the entity, and its row is published
// again as the source has it.
func TestANULInAStampStopsNobody(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.cfg.ScanEvery = time.Nanosecond
	w.publishBehind(schema.Change{
		Entity: "Sag", ID: 3, Action: schema.Update, Seq: time.Now().UnixMicro(), Timestamp: time.Now(), Opdateringsdato: "2020-01-01T08:00:00\x00",
		Origin: schema.OriginTail, Data: sagRow(3, "forkert", stampAt(w.sim.Now())),
	})
	w.mustOnce()
	w.checkLast(3)
	w.checkTopic("Sag")
}

// lastRecord returns the last change of a row that a sink would apply, and whether a
// record that it refuses is behind it.
func (w *world) lastRecord(id int64) (last schema.Change, hidden bool) {
	w.t.Helper()
	_, err := w.topics.ReadLog(w.t.Context(), "Sag", nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			if string(rec.Key) != schema.Key("Sag", id) {
				continue
			}
			m, err := w.kafka.Decode(rec)
			if hidden = err != nil; !hidden {
				last = m.Change
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return last, hidden
}

// Compaction keeps the last record of a key only, so that a record which sinks refuse
// would in time be all that the topic has of its row.
func TestRowsHiddenByRefusedRecordsArePublishedAgain(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	forged := schema.Change{
		Entity: "Sag", ID: 3, Action: schema.Update, Seq: 9e18, Timestamp: time.Now(), Origin: schema.OriginTail, Data: sagRow(3, "falsk", stampAt(w.sim.Now())),
	}
	w.publishBehind(forged)
	w.produce("Sag:4", "no JSON")
	w.produce("Sag:5", "") // no tombstone: it has no ce_id
	w.produce("Sag:900001", "no JSON")
	w.mustOnce()
	for _, id := range []int64{3, 4, 5} {
		last, hidden := w.lastRecord(id)
		if want := w.sim.Row("Sag", id); hidden || string(last.Data) != string(want) {
			t.Errorf("topic ends with %s for row %d (hidden %v), want %s", last.Data, id, hidden, want)
		}
		if schema.SeqAhead(last.Seq, time.Now()) {
			t.Errorf("row %d has seq %d, raised by the forged one", id, last.Seq)
		}
	}
	if got := w.load("Sag").Seq; schema.SeqAhead(got, time.Now()) {
		t.Errorf("the counter is at %d, raised by the forged one", got)
	}
	if last, _ := w.lastRecord(900_001); last.Seq != 0 {
		t.Errorf("published %+v for a row that never was", last)
	}
}

// misplace writes a record to another partition than its key's.
func (w *world) misplace(key string, value []byte) {
	w.t.Helper()
	writer, err := kgo.NewClient(kgo.SeedBrokers(w.kafka.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer writer.Close()
	n := w.kafka.Partitions
	rec := &kgo.Record{Topic: w.kafka.Topic("Sag"), Partition: (stream.PartitionOf(key, int(n)) + 1) % n, Key: []byte(key), Value: value}
	if err := writer.ProduceSync(w.t.Context(), rec).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// kept returns the rows of two consumers of Sag's topic, and its number of records. One
// reads the topic late, when it is compacted and its tombstones are gone. The other reads
// it now.
func (w *world) kept() (late, now map[string]string, records int) {
	w.t.Helper()
	type spot struct {
		partition int32
		key       string
	}
	last := map[spot]*kgo.Record{}
	late, now = map[string]string{}, map[string]string{}
	seqs := map[string]int64{}
	take := func(rows map[string]string, rec *kgo.Record) {
		m, err := w.kafka.Decode(rec)
		key := string(rec.Key)
		if err != nil || m.Change.Seq < seqs[key] {
			return
		}
		seqs[key] = m.Change.Seq
		if rows[key] = string(m.Change.Data); m.Tombstone || m.Change.Action == schema.Delete {
			delete(rows, key)
		}
	}
	_, err := w.topics.ReadLog(w.t.Context(), "Sag", nil, func(read []*kgo.Record) error {
		records += len(read)
		for _, rec := range read {
			last[spot{rec.Partition, string(rec.Key)}] = rec
			take(now, rec)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	clear(seqs)
	for _, rec := range last {
		if rec.Value != nil {
			take(late, rec)
		}
	}
	return late, now, records
}

// No later record would remove a misplaced one: a consumer that reads the topic when the
// row's delete is compacted away would keep the row for ever. If the database is lost, the
// fold reads some misplaced records before the row's own record, and others after it.
func TestMisplacedRecordsAreBuried(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"the ledger knows the rows": false, "the database is lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := loaded(t)
			w.cfg.ScanEvery = time.Nanosecond
			w.vanish(2, 2)
			w.mustOnce()
			for _, id := range []int64{1, 2, 4, 5, 6, 900_001} {
				forged := schema.Change{
					Entity: "Sag", ID: id, Action: schema.Update, Seq: time.Now().Add(time.Hour).UnixMicro(), Timestamp: time.Now(),
					Origin: schema.OriginTail, Data: sagRow(id, "falsk", stampAt(w.sim.Now())),
				}
				w.misplace(forged.Key(), forged.AppendJSON(nil))
			}
			w.misplace("Sag:3", []byte("no JSON"))
			if lost {
				w.exec(`TRUNCATE poller_leases, poller_watermarks, poller_ledger, poller_positions, poller_scans`)
			}
			// The process ends when the records are buried, and their rows not yet published.
			var left atomic.Int64
			left.Store(1)
			w.wrapPublisher = func(p publisher) publisher { return crashingPublisher{publisher: p, left: &left} }
			if err := w.once(); !errors.Is(err, errCrash) {
				t.Fatalf("poller --once = %v, want a crash", err)
			}
			w.wrapPublisher = nil
			w.expireLeases()
			w.mustOnce()
			w.checkKept()
		})
	}
}

// checkKept fails the test unless all that read Sag's topic have the source's rows, and
// another scan publishes nothing.
func (w *world) checkKept() {
	w.t.Helper()
	want := map[string]string{}
	for _, data := range w.sim.Rows("Sag") {
		want[schema.Key("Sag", rowID(w.t, data))] = string(data)
	}
	late, now, before := w.kept()
	if diff := cmp.Diff(want, late); diff != "" {
		w.t.Errorf("a consumer that comes after the compaction has (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, now); diff != "" {
		w.t.Errorf("a consumer that reads all has (-want +got):\n%s", diff)
	}
	w.mustOnce()
	if _, _, after := w.kept(); after != before {
		w.t.Errorf("topic holds %d records after another scan, want %d as before", after, before)
	}
}

// An earlier version took a forged seq for its own. The entity waits until a person
// repairs it as docs/operations.md says.
func TestAForgedSeqOfAnEarlierVersionIsRepairedByHand(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.exec(`UPDATE poller_watermarks SET seq = 9e18::bigint; UPDATE poller_ledger SET seq = 9e18::bigint WHERE entity_id = 3`)
	if err := w.once(); err == nil || !strings.Contains(err.Error(), "operations.md") {
		t.Fatalf("poller --once = %v, want an error that names the repair", err)
	}
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, repair, _ := strings.Cut(string(text), "```sql\n")
	repair, _, found := strings.Cut(repair, "```")
	if !found {
		t.Fatal("docs/operations.md has no repair in SQL")
	}
	w.exec(repair)
	w.put("Sag", 3, "ændret", stampAt(w.sim.Now()))
	w.mustOnce()
	w.checkLast(3)
	if seq := w.lastOf(3).Seq; schema.SeqAhead(seq, time.Now()) {
		t.Errorf("row 3 has seq %d after the repair", seq)
	}
}

// Every Int64 is an id that is asked for.
func TestIDsAtEveryEdgeAreFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag")
	w.sim.SetNow(atNoon())
	w.cfg.ScanEvery = time.Nanosecond
	edges := []int64{math.MinInt64, math.MinInt64 + 1, -7, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
	for _, id := range edges {
		w.put("Sag", id, "først", stampAt(atNoon()))
	}
	w.mustOnce()
	w.mustOnce()
	w.checkTopic("Sag")
	if got := len(w.messages("Sag")); got != len(edges) {
		t.Errorf("topic holds %d records after two scans, want %d", got, len(edges))
	}
	w.sim.Advance(time.Second)
	for _, id := range edges {
		w.put("Sag", id, "ændret", stampAt(w.sim.Now()))
	}
	w.cfg.ScanEvery = 0
	w.mustOnce()
	w.checkTopic("Sag")
	w.cfg.ScanEvery = time.Nanosecond
	w.vanish(-1, 0)
	w.sim.Delete("Sag", math.MaxInt64)
	w.mustOnce()
	w.checkTopic("Sag")
	if got := w.deletes(); got != 3 {
		t.Errorf("%d deletes, want 3", got)
	}
}

// A highest row without an id that can be read is dead-lettered and keeps no other row
// from being loaded, followed or deleted.
func TestAHighestRowWithoutAnIDStopsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag")
	w.sim.SetNow(atNoon())
	w.cfg.ScanEvery = time.Nanosecond
	for id := int64(1); id <= 6; id++ {
		w.put("Sag", id, "først", stampAt(atNoon()))
	}
	w.liar().tell(func(asked oda.Window, _ oda.Lane, page oda.Page) (oda.Page, error) {
		if asked.IDs.High > 6 && len(page.Rows) < schema.PageSize && asked.IDs.Low >= 6 {
			page.Rejects = append(page.Rejects, oda.Reject{Data: []byte(`{"id":6.5}`), Reason: "has an id that is not an integer"})
		}
		return page, nil
	})
	w.mustOnce()
	w.checkTopic("Sag")
	w.vanish(3, 3)
	w.sim.Advance(time.Second)
	w.put("Sag", 2, "ændret", stampAt(w.sim.Now()))
	w.mustOnce()
	w.checkTopic("Sag")
	letters := 0
	if err := w.topics.ReadDeadLetters(t.Context(), w.kafka.Topic("Sag"), func(stream.StoredDeadLetter) error { letters++; return nil }); err != nil || letters != 2 {
		t.Errorf("%d dead letters, %v, want one of each process", letters, err)
	}
}

// Rows that hardly any program is prepared for stop nobody: each is on the topic once,
// or dead-lettered.
func TestHostileRowsStopNobody(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.cfg.ScanEvery = time.Nanosecond
	w.sim.Advance(time.Second)
	rows := odasim.HostileRows(100, stampAt(w.sim.Now()))
	for _, row := range rows {
		if err := w.sim.Put("Sag", row); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		w.mustOnce()
	}
	seen := map[string]int{}
	_, err := w.topics.ReadLog(t.Context(), "Sag", nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			seen[string(rec.Key)]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	dead := map[string]bool{}
	if err := w.topics.ReadDeadLetters(t.Context(), w.kafka.Topic("Sag"), func(l stream.StoredDeadLetter) error {
		dead[string(l.Record.Key)] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for id := int64(100); id < 100+int64(len(rows)); id++ {
		key := schema.Key("Sag", id)
		if n := seen[key]; n != 1 && (n != 0 || !dead[key]) {
			t.Errorf("%.80s is on the topic %d times, dead-lettered: %v", w.sim.Row("Sag", id), n, dead[key])
		}
	}
}
