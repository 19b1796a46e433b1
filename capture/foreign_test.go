package capture

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
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
