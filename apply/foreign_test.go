package apply_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/schema"
)

// produceOn writes the records of a change, and of a delete the tombstone only, to the
// topic of an entity.
func (r *rig) produceOn(entity string, c schema.Change) *kgo.Record {
	r.t.Helper()
	rec := &kgo.Record{
		Topic: r.kafka.Topic(entity), Key: []byte(c.Key()),
		Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte(c.EventID())}},
	}
	if c.Action != schema.Delete {
		rec.Value = c.AppendJSON(nil)
	}
	if err := r.raw.ProduceSync(r.t.Context(), rec).FirstErr(); err != nil {
		r.t.Fatalf("produce to %s: %v", rec.Topic, err)
	}
	return rec
}

// Who may write the topic of Sag must not write rows of Aktør, delete them, or have a
// table made.
func TestRecordsOnTheTopicOfAnotherEntityChangeNoRow(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag", "Aktør")
	r.publish(400)
	r.once(r.sink(r.url, r.config(), nil))
	foreign := r.change()
	for foreign.Entity != "Aktør" || foreign.Action == schema.Delete {
		foreign = r.change()
	}
	delete(r.rows, foreign.Key())
	r.rows = r.table()
	gone := foreign
	gone.Action, gone.Seq = schema.Delete, foreign.Seq+1
	unknown, shouted := foreign, foreign
	unknown.Entity, shouted.Entity = "Nyhed", "SAG"
	var want []string
	for _, c := range []schema.Change{foreign, gone, unknown, shouted} {
		want = append(want, at(r.produceOn("Sag", c), "schema "))
	}
	r.once(r.sink(r.url, r.config(), nil))
	slices.Sort(want)
	got := strings.Split(r.dead(), "\n")
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if diff := r.differ(); diff != "" {
		t.Errorf("cache: %s", diff)
	}
	if got := r.value(`SELECT count(*) FROM pg_class WHERE relname ~ 'nyhed' OR relname ~ 'SAG'`); got != "0" {
		t.Errorf("%s tables were made for entities without a topic", got)
	}
}

// One forged record must not hide every later change of its row.
func TestAForgedSeqIsDeadLettered(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag")
	good := r.change()
	for good.Action == schema.Delete {
		good = r.change()
	}
	r.produceOn("Sag", good)
	forged, gone := good, good
	forged.Seq, forged.Data = 9e18, []byte(`{"id":0,"titel":"forged"}`)
	gone.Action, gone.Seq = schema.Delete, math.MaxInt64
	want := []string{at(r.produceOn("Sag", forged), "schema "), at(r.produceOn("Sag", gone), "schema ")}
	good.Seq, good.Data = good.Seq+1, []byte(`{"id":0,"titel":"later"}`)
	r.produceOn("Sag", good)
	r.rows = map[string]string{good.Key(): string(good.Data)}
	r.once(r.sink(r.url, r.config(), nil))
	if diff := cmp.Diff(want, strings.Split(r.dead(), "\n")); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if diff := r.differ(); diff != "" {
		t.Errorf("cache: %s", diff)
	}
	if got := r.value(`SELECT parliament.as_of('Sag', $1, now())->>'titel'`, good.ID); got != "later" {
		t.Errorf("as_of now gives the title %q, want %q", got, "later")
	}
}
