package kafkatest_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
)

func TestFakeStoresARecord(t *testing.T) {
	t.Parallel()
	roundTrip(t, kafkatest.Fake(t))
}

func TestFakeTakesOptions(t *testing.T) {
	t.Parallel()
	brokers := kafkatest.Fake(t, kfake.NumBrokers(2), kfake.SeedTopics(5, "seeded"))
	if len(brokers) != 2 {
		t.Errorf("Fake with two brokers = %v", brokers)
	}
	topics, err := kadm.NewClient(client(t, brokers)).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(topics["seeded"].Partitions); got != 5 {
		t.Errorf("partitions of the seeded topic = %d, want 5", got)
	}
}

func TestPrefixIsUnique(t *testing.T) {
	t.Parallel()
	if first, second := kafkatest.Prefix(t), kafkatest.Prefix(t); first == second {
		t.Errorf("Prefix twice = %q", first)
	}
}

// roundTrip writes a record to a new topic and reads it back.
func roundTrip(t *testing.T, brokers []string) {
	t.Helper()
	topic := kafkatest.Prefix(t) + "sag"
	writer := client(t, brokers)
	if _, err := kadm.NewClient(writer).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatalf("create topic: %v", err)
	}
	want := &kgo.Record{Topic: topic, Key: []byte("Sag:1"), Value: []byte("{}")}
	if err := writer.ProduceSync(t.Context(), want).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	fetches := client(t, brokers, kgo.ConsumeTopics(topic)).PollFetches(t.Context())
	if err := fetches.Err(); err != nil {
		t.Fatalf("fetch: %v", err)
	}
	if got := fetches.Records(); len(got) != 1 || string(got[0].Key) != "Sag:1" {
		t.Errorf("records read = %v, want the one written", got)
	}
}

func client(t *testing.T, brokers []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(brokers...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}
