package stand

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"odastream/apply"
	"odastream/internal/test/kafkatest"
	"odastream/schema"
	"odastream/stream"
)

// Copy is a stand with the topic of one entity, and a sink.
type Copy struct {
	*Stand
	Entity string

	seq int64
}

// NewCopy returns an empty Copy. No other test has its topics and its group.
func NewCopy(t testing.TB, brokers []string, entity string) *Copy {
	t.Helper()
	prefix := kafkatest.Prefix(t)
	c := &Copy{Entity: entity, seq: 1_795_445_400_000_000}
	c.Stand = New(t, stream.Config{Brokers: brokers, TopicPrefix: prefix, Partitions: 3}, prefix+"sink", entity)
	return c
}

// Change returns the next change of a row, whose content has the size in bytes.
func (c *Copy) Change(id int64, action schema.Action, size int) schema.Change {
	c.seq++
	change := schema.Change{
		Entity: c.Entity, ID: id, Action: action, Seq: c.seq, Timestamp: time.UnixMicro(c.seq), Origin: schema.OriginTail,
		Opdateringsdato: "2026-11-23T16:09:58.347",
	}
	if action != schema.Delete {
		change.Data = fmt.Appendf(nil, `{"id":%d,"typeid":%d,"fill":%q,"opdateringsdato":"2026-11-23T16:09:58.347"}`, id, c.seq, filler(c.seq, size))
	}
	return change
}

// filler is text that compresses about as well as real rows.
func filler(seed int64, size int) string {
	random, text := rand.New(rand.NewPCG(uint64(seed), 7)), make([]byte, size)
	for i := range text {
		text[i] = "abcdeghi"[random.IntN(8)]
	}
	return string(text)
}

// Load publishes rows 1 to n and applies them by the sink.
func (c *Copy) Load(t testing.TB, n, size int) {
	t.Helper()
	var changes []schema.Change
	for id := range int64(n) {
		if changes = append(changes, c.Change(id+1, schema.Snapshot, size)); len(changes) == publishAtOnce {
			c.Publish(t, changes...)
			changes = changes[:0]
		}
	}
	c.Publish(t, changes...)
	c.Once(t)
}

// Sink returns a new sink.
func (c *Copy) Sink() *apply.Sink {
	parts := apply.Parts{Store: c.Store, DeadLetters: apply.DeadLetterWriter{Publisher: c.Publisher, Topics: c.Topics, Kafka: c.Kafka}}
	cfg := apply.Config{Group: c.Group, BatchRows: 5000, BatchBytes: 16 << 20, Linger: 20 * time.Millisecond}
	return apply.New(cfg, c.Kafka, parts, Quiet(), nil)
}

// Once makes a sink apply all that the topic holds.
func (c *Copy) Once(t testing.TB) {
	t.Helper()
	if err := c.Sink().Once(t.Context()); err != nil {
		t.Fatal(err)
	}
}
