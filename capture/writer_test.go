package capture

import (
	"bytes"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// record is a record on the topic of Sag with the key of a row, but no tombstone.
type record struct {
	schema.Change
	refused bool // by sinks, or buried, since it is misplaced; then only ID is set
}

// records returns the records of Sag's topic from its start. A misplaced one stands
// wherever the poller may have taken it, again after its database was lost: before each
// record above it.
func (w *world) records() (all []record) {
	w.t.Helper()
	var misplaced []schema.Change
	_, err := w.topics.ReadLog(w.t.Context(), "Sag", nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			m, err := w.kafka.Decode(rec)
			_, id, errKey := schema.ParseKey(string(rec.Key))
			switch {
			case err == nil && stream.Misplaced(rec, int(w.kafka.Partitions)):
				misplaced = append(misplaced, m.Change)
			case err == nil && !m.Tombstone:
				all = append(all, record{Change: m.Change})
			case err != nil && errKey == nil && string(rec.Key) == schema.Key("Sag", id):
				all = append(all, record{Change: schema.Change{ID: id}, refused: true})
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatalf("read topic of Sag: %v", err)
	}
	return among(all, misplaced)
}

// among returns the records with the misplaced ones among them.
func among(all []record, misplaced []schema.Change) (list []record) {
	taken := map[int64]bool{} // by seq
	take := func(m schema.Change) {
		list, taken[m.Seq] = append(list, record{Change: schema.Change{ID: m.ID}, refused: true}), true
	}
	for _, r := range all {
		for _, m := range misplaced {
			if !r.refused && r.ID == m.ID && r.Seq > m.Seq {
				take(m)
			}
		}
		list = append(list, r)
	}
	for _, m := range misplaced {
		if !taken[m.Seq] {
			take(m)
		}
	}
	return list
}

// tombstones returns the rows that have a tombstone on Sag's topic.
func (w *world) tombstones() map[int64]bool {
	w.t.Helper()
	have := map[int64]bool{}
	_, err := w.topics.ReadLog(w.t.Context(), "Sag", nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			if m, err := w.kafka.Decode(rec); err == nil && m.Tombstone {
				have[m.Change.ID] = true
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatalf("read topic of Sag: %v", err)
	}
	return have
}

// changes returns the changes that sinks do not refuse.
func (h *history) changes(string) (list []schema.Change) {
	for _, r := range h.records() {
		if !r.refused {
			list = append(list, r.Change)
		}
	}
	return list
}

// bombBytes is what a record holds that hardly takes space on the disk.
const bombBytes = 2 << 20

// write writes a record that no poller writes.
func (h *history) write() {
	id := rapid.SampledFrom(rowIDs()).Draw(h.rt, "id of a record")
	forged := schema.Change{
		Entity: "Sag", ID: id, Action: schema.Update, Seq: time.Now().UnixMicro(), Timestamp: time.Now(), Origin: schema.OriginTail, Data: sagRow(id, "falsk", h.now()),
	}
	key, value := []byte(forged.Key()), []byte(nil)
	kind := rapid.SampledFrom([]string{"forged seq", "another entity", "another key", "no value", "garbage", "garbage key", "bomb", "another partition"}).Draw(h.rt, "record")
	switch kind {
	case "forged seq":
		forged.Seq = rapid.SampledFrom([]int64{9e18, time.Now().Add(25 * time.Hour).UnixMicro()}).Draw(h.rt, "seq")
		value = forged.AppendJSON(nil)
	case "another entity":
		forged.Entity = "Aktør"
		key, value = []byte(forged.Key()), forged.AppendJSON(nil)
	case "another key":
		key, value = []byte(schema.Key("Aktør", id)), forged.AppendJSON(nil)
	case "garbage":
		value = []byte("{no change")
	case "garbage key":
		key, value = []byte("Sag:x"), forged.AppendJSON(nil)
	case "another partition":
		for _, r := range h.records() {
			forged.Seq = max(forged.Seq, r.Seq+1)
		}
		value = forged.AppendJSON(nil)
	case "bomb":
		value = bytes.Repeat([]byte{' '}, bombBytes)
	}
	h.tell("a record is written for %d: %s", id, kind)
	h.seen.hide(id)
	if kind == "another partition" {
		h.misplace(string(key), value)
		return
	}
	writer := h.newWriter() // anew, since one that lasts knows a topic that is gone
	defer writer.Close()
	if err := writer.ProduceSync(h.t.Context(), &kgo.Record{Topic: h.kafka.Topic("Sag"), Key: key, Value: value}).FirstErr(); err != nil {
		h.rt.Fatal(err)
	}
}

// newWriter returns a client that writes what it likes. The caller closes it.
func (w *world) newWriter() *kgo.Client {
	w.t.Helper()
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(w.kafka.Brokers...), kgo.ProducerBatchMaxBytes(2*bombBytes), kgo.ProducerBatchCompression(kgo.GzipCompression()),
	)
	if err != nil {
		w.t.Fatal(err)
	}
	return cl
}

// drawFaults draws a source that is faulty, or one that is hostile.
func (h *history) drawFaults() odasim.Faults {
	seed := rapid.Uint64().Draw(h.rt, "fault seed")
	if rapid.Bool().Draw(h.rt, "hostile") {
		h.tell("the source is hostile")
		h.seen.blind = true
		return odasim.Faults{Seed: seed, EmptyRate: 0.2, ForeignRate: 0.03, OversizeRate: 0.2, ShortRate: 0.3, BombRate: 0.01, RedirectRate: 0.02}
	}
	h.tell("the source is faulty")
	return odasim.Faults{Seed: seed, ShortRate: 0.3, DisorderRate: 0.03, UnfilteredRate: 0.03, ErrorRate: 0.01, TruncateRate: 0.01}
}

// strange puts a row with a member of valid JSON that a database may stumble over.
func (h *history) strange(id int64, text string) (string, bool, func()) {
	member := rapid.SampledFrom([]string{`"a\u0000b"`, `1e131071`, `1e400000`, `[[[[{"":-0.0}]]]]`}).Draw(h.rt, "strange")
	return fmt.Sprintf("%d becomes %s with %s", id, text, member), true, func() {
		row := fmt.Appendf(nil, `{"id":%d,"titel":%q,"nummer":%s,"opdateringsdato":%q}`, id, text, member, h.now())
		if err := h.sim.Put("Sag", row); err != nil {
			h.t.Error(err)
		}
	}
}
