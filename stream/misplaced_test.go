package stream

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// misplace writes values with the key of a Sag to another partition than the key's.
func (b *bench) misplace(t *testing.T, key string, values ...string) {
	t.Helper()
	cl, err := NewClient(b.cfg, b.log.logger(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	other := (PartitionOf(key, 3) + 1) % 3
	for _, value := range values {
		rec := &kgo.Record{Topic: b.cfg.Topic("Sag"), Partition: other, Key: []byte(key), Value: []byte(value)}
		if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// The newest record of a key in each partition is what compaction keeps.
func TestMisplacedRecordsAreBuried(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag")
		p := b.publisher(t)
		publish(t, p, update("Sag", 1, 10))
		value := func(id, seq int64) string { return string(update("Sag", id, seq).AppendJSON(nil)) }
		b.misplace(t, "Sag:1", value(1, 7), value(1, 5))
		b.misplace(t, "Sag:2", "no JSON")
		b.misplace(t, "Sag:3", value(3, time.Now().Add(48*time.Hour).UnixMicro()))
		var misplaced []*kgo.Record
		for _, rec := range b.records(t, "Sag") {
			if Misplaced(rec, 3) {
				misplaced = append(misplaced, rec)
			}
		}
		if len(misplaced) != 4 {
			t.Fatalf("%d records are misplaced, want 4", len(misplaced))
		}
		if err := p.Bury(t.Context(), misplaced); err != nil {
			t.Fatal(err)
		}
		publish(t, p, update("Sag", 1, 11)) // goes where its key belongs
		got := map[string]string{}
		for _, rec := range b.records(t, "Sag") {
			m, err := b.cfg.Decode(rec)
			kept := "row " + strconv.FormatInt(m.Change.Seq, 10)
			switch {
			case err != nil:
				kept = "refused"
			case m.Tombstone:
				kept = "tombstone " + strconv.FormatInt(m.Change.Seq, 10)
			}
			got[string(rec.Key)+" misplaced "+strconv.FormatBool(Misplaced(rec, 3))] = kept
		}
		want := map[string]string{
			"Sag:1 misplaced false": "row 11", "Sag:1 misplaced true": "tombstone 8",
			"Sag:2 misplaced true": "tombstone 1", "Sag:3 misplaced true": "tombstone 1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what compaction keeps (-want +got):\n%s", diff)
		}
	})
}
