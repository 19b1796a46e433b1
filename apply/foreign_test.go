package apply_test

import (
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
