package apply_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Compressed, a record may hold far more than its topic's limit, in its key and in its
// headers too. Its dead letter has to fit the limit as it is written.
func TestLargeCompressedRecordsStopNoSink(t *testing.T) {
	t.Parallel()
	r := newRig(t, brokers()["fake"](t), "Sag")
	writer, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Brokers...), kgo.ProducerBatchMaxBytes(16<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(writer.Close)
	large := bytes.Repeat([]byte("x"), 4<<20)
	var want []string
	for part, rec := range map[string]kgo.Record{
		"key":    {Key: large, Value: []byte("no change")},
		"value":  {Key: []byte("Sag:1"), Value: large},
		"header": {Key: []byte("Sag:1"), Value: []byte("no change"), Headers: []kgo.RecordHeader{{Key: "x", Value: large}}},
	} {
		r.publish(20)
		rec.Topic = r.kafka.Topic("Sag")
		if err := writer.ProduceSync(t.Context(), &rec).FirstErr(); err != nil {
			t.Fatalf("a large %s: %v", part, err)
		}
		want = append(want, at(&rec, "decode "))
	}
	r.publish(20)
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
	if got := len(r.letters("Sag")); got != len(want) {
		t.Errorf("%d dead letters on their topic, want %d", got, len(want))
	}
	if longest := r.value(`SELECT max(length(error)) FROM dead_letters`); len(longest) > 4 {
		t.Errorf("an error has %s characters", longest)
	}
}
