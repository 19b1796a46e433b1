package stream

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/schema"
)

// bench is a broker with topics, and the tests' actions on it.
type bench struct {
	cfg    Config
	cl     *kgo.Client
	topics *Topics
	fake   *kfake.Cluster // nil on real Kafka
	log    *logBuffer
}

// onFake gives a bench on a fake broker, for faults that a real one does not
// produce on demand.
func onFake(t *testing.T, opts ...kfake.Opt) *bench {
	t.Helper()
	cluster := kafkatest.Cluster(t, opts...)
	b := newBench(t, cluster.ListenAddrs())
	b.fake = cluster
	return b
}

// onBoth runs a test on the fake broker and on real Kafka.
func onBoth(t *testing.T, test func(*testing.T, *bench)) {
	t.Helper()
	t.Run("fake", func(t *testing.T) {
		t.Parallel()
		test(t, onFake(t))
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		test(t, newBench(t, kafkatest.Real(t)))
	})
}

func newBench(t testing.TB, brokers []string) *bench {
	t.Helper()
	b := &bench{cfg: Config{Brokers: brokers, TopicPrefix: kafkatest.Prefix(t), Partitions: 3}, log: &logBuffer{}}
	cl, err := NewClient(b.cfg, b.log.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	b.cl, b.topics = cl, NewTopics(cl, b.cfg, b.log.logger())
	return b
}

// benchFor gives a bench on a fake broker with the topic of Sag.
func benchFor(t testing.TB) *bench {
	t.Helper()
	b := newBench(t, kafkatest.Fake(t))
	if err := b.topics.Ensure(t.Context(), []string{"Sag"}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) ensure(t *testing.T, entities ...string) {
	t.Helper()
	if err := b.topics.Ensure(t.Context(), entities); err != nil {
		t.Fatalf("Ensure(%v) = %v", entities, err)
	}
}

func (b *bench) publisher(t *testing.T, opts ...kgo.Opt) *Publisher {
	t.Helper()
	p, err := NewPublisher(b.cfg, b.log.logger(), prometheus.NewRegistry(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// publish fails the test if the changes are not acknowledged.
func publish(t *testing.T, p *Publisher, changes ...schema.Change) []Ack {
	t.Helper()
	acks, err := p.Publish(t.Context(), changes)
	if err != nil {
		t.Fatalf("Publish = %v", err)
	}
	return acks
}

// records reads a topic of the project from its start to its end.
func (b *bench) records(t *testing.T, entity string) []*kgo.Record {
	t.Helper()
	var all []*kgo.Record
	_, err := b.topics.ReadLog(t.Context(), entity, nil, func(rs []*kgo.Record) error {
		all = append(all, rs...)
		return nil
	})
	if err != nil {
		t.Fatalf("ReadLog(%s) = %v", entity, err)
	}
	return all
}

// deadLetters reads the dead-letter topic of an entity.
func (b *bench) deadLetters(t *testing.T, entity string) []*kgo.Record {
	t.Helper()
	// The dead-letter topic is read as the topic of an entity of that name.
	return b.records(t, entity+deadLetterSuffix)
}

var captured = time.Date(2026, 11, 23, 15, 10, 0, 123456000, time.UTC)

func update(entity string, id, seq int64) schema.Change {
	return schema.Change{
		Entity: entity, ID: id, Action: schema.Update, Seq: seq, Timestamp: captured,
		Opdateringsdato: "2026-11-23T16:09:58.347", Origin: schema.OriginTail,
		Data: fmt.Appendf(nil, `{"id":%d,"titel":"Forslag til lov om ændring"}`, id),
	}
}

func remove(entity string, id, seq int64) schema.Change {
	return schema.Change{Entity: entity, ID: id, Action: schema.Delete, Seq: seq, Timestamp: captured, Origin: schema.OriginScan}
}

// big is a change whose value has size bytes and does not compress.
func big(entity string, id int64, size int) schema.Change {
	c := update(entity, id, id)
	c.Data = nil
	room := size - len(c.AppendJSON(nil)) + len("null") - len(`{"x":""}`)
	c.Data = append(append([]byte(`{"x":"`), bytes.Repeat([]byte("x"), room)...), `"}`...)
	return c
}

// logBuffer keeps log lines for a test to look at.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
