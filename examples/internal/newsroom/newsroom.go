// Package newsroom provides a broker in this process for the examples' tests, with topics
// as the poller makes them.
//
// Invariant: no two tests share a broker. The package knows nothing of the examples.
package newsroom

import (
	"log/slog"
	"testing"
	"time"

	"odastream/internal/test/kafkatest"
	"odastream/schema"
	"odastream/stream"
)

// Newsroom is a broker at the address in Config. It ends with the test.
type Newsroom struct {
	stream.Config
	publisher *stream.Publisher
}

// Open starts a broker with the topics of the entities. Each has one partition, so that
// changes arrive in the order in which they were published.
func Open(t testing.TB, entities ...string) *Newsroom {
	t.Helper()
	n := &Newsroom{Config: stream.Config{Brokers: kafkatest.Fake(t), TopicPrefix: "parliament-", Partitions: 1}}
	quiet := slog.New(slog.DiscardHandler)
	admin, err := stream.NewClient(n.Config, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := stream.NewTopics(admin, n.Config, quiet).Ensure(t.Context(), entities); err != nil {
		t.Fatal(err)
	}
	if n.publisher, err = stream.NewPublisher(n.Config, quiet, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.publisher.Close)
	return n
}

// Publish writes changes as the poller does, one by one.
func (n *Newsroom) Publish(t testing.TB, changes ...schema.Change) {
	t.Helper()
	for _, c := range changes {
		if _, err := n.publisher.Publish(t.Context(), []schema.Change{c}); err != nil {
			t.Fatal(err)
		}
	}
}

// Change returns a change that the tail found; data is "" for a delete.
func Change(entity string, id, seq int64, action schema.Action, data string) schema.Change {
	c := schema.Change{
		Entity: entity, ID: id, Action: action, Seq: seq, Timestamp: time.UnixMicro(seq).UTC(),
		Opdateringsdato: "2026-11-23T16:09:58.347", Origin: schema.OriginTail, Data: []byte(data),
	}
	if data == "" {
		c.Data = nil
	}
	return c
}
