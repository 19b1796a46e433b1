package stream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/schema"
	"odastream/stream"
)

// offsetsInMemory is a store of offsets without a database.
type offsetsInMemory struct {
	mu     sync.Mutex
	stored map[schema.TopicPartition]schema.Position
	asked  int   // how often Positions was called
	away   error // what Positions returns, if set
	resets []schema.TopicPartition
}

func (o *offsetsInMemory) positions(context.Context) (map[schema.TopicPartition]schema.Position, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	return maps.Clone(o.stored), o.away
}

func (o *offsetsInMemory) reset(_ context.Context, tp schema.TopicPartition, was, now schema.Position) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stored[tp] != was {
		return errors.New("moved by another")
	}
	o.stored[tp] = now
	o.resets = append(o.resets, tp)
	return nil
}

func (o *offsetsInMemory) set(tp schema.TopicPartition, p schema.Position) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stored == nil {
		o.stored = map[schema.TopicPartition]schema.Position{}
	}
	o.stored[tp] = p
}

// move applies a span as a store does: by compare-and-set.
func (o *offsetsInMemory) move(s stream.Span) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now, ok := o.stored[s.TopicPartition]
	if !ok {
		now.Next = schema.NoOffset
	}
	if now.Next != s.From || ok && now.TopicID != s.TopicID {
		return fmt.Errorf("span of %s from %d, store has %d", s.TopicPartition, s.From, now.Next)
	}
	if o.stored == nil {
		o.stored = map[schema.TopicPartition]schema.Position{}
	}
	o.stored[s.TopicPartition] = schema.Position{TopicID: s.TopicID, Next: s.To}
	return nil
}

// bench is a fake broker with a prefix of topics.
type bench struct {
	t   *testing.T
	cfg stream.Config
	cl  *kgo.Client
	adm *kadm.Client
}

func newBench(t *testing.T, brokers []string) bench {
	t.Helper()
	cfg := stream.Config{Brokers: brokers, TopicPrefix: kafkatest.Prefix(t), Partitions: 3}
	cl, err := stream.NewClient(cfg, slog.New(slog.DiscardHandler), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return bench{t: t, cfg: cfg, cl: cl, adm: kadm.NewClient(cl)}
}

func (b bench) topic(name string, partitions int32) string {
	b.t.Helper()
	topic := b.cfg.TopicPrefix + name
	if _, err := b.adm.CreateTopic(b.t.Context(), partitions, 1, nil, topic); err != nil {
		b.t.Fatalf("CreateTopic(%s): %v", topic, err)
	}
	return topic
}

func (b bench) id(topic string) [16]byte {
	b.t.Helper()
	details, err := b.adm.ListTopics(b.t.Context(), topic)
	if err != nil {
		b.t.Fatal(err)
	}
	return details[topic].ID
}

// produce writes n records, valued topic/partition/0, 1, …
func (b bench) produce(topic string, partition int32, n int) {
	b.t.Helper()
	for range n {
		rec := &kgo.Record{Topic: topic, Partition: partition, Key: []byte("Sag:1"), Value: []byte("{}")}
		if err := b.cl.ProduceSync(b.t.Context(), rec).FirstErr(); err != nil {
			b.t.Fatalf("produce to %s: %v", topic, err)
		}
	}
}

func (b bench) config(o *offsetsInMemory) stream.GroupConfig {
	return stream.GroupConfig{
		ConsumerConfig: stream.ConsumerConfig{Positions: o.positions, Reset: o.reset},
		Group:          b.cfg.TopicPrefix + "group", Refresh: 100 * time.Millisecond, Session: 6 * time.Second,
	}
}

// consumer is the part that both kinds share.
type consumer interface {
	Poll(ctx context.Context, limit int, wait time.Duration) ([]stream.Span, error)
	Current(stream.Span) bool
	Reseek(context.Context, []schema.TopicPartition) error
	State() ([]stream.PartitionState, string)
	Behind() []string
	Close()
}

func (b bench) consumer(cc stream.GroupConfig, reg prometheus.Registerer) *stream.GroupConsumer {
	b.t.Helper()
	c, err := stream.NewGroupConsumer(b.cfg, cc, slog.New(slog.DiscardHandler), reg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(c.Close)
	return c
}

// read polls until enough says so, and returns the offsets read by partition.
// Every span must continue the one before; the store's offset follows.
func (b bench) read(c consumer, o *offsetsInMemory, enough func(map[string][]int64) bool) map[string][]int64 {
	b.t.Helper()
	ctx := machine.Context(b.t, "the records to be read")
	got := map[string][]int64{}
	for !enough(got) {
		spans, err := c.Poll(ctx, 1000, 100*time.Millisecond)
		if errors.Is(err, stream.ErrEnd) {
			return got
		}
		if err != nil {
			b.t.Fatalf("Poll: %v, having read %v", err, got)
		}
		for _, s := range spans {
			if !c.Current(s) {
				continue
			}
			if err := o.move(s); err != nil {
				b.t.Fatal(err)
			}
			for _, r := range s.Records {
				got[s.String()] = append(got[s.String()], r.Offset)
			}
		}
	}
	return got
}

func total(n int) func(map[string][]int64) bool {
	return func(got map[string][]int64) bool {
		sum := 0
		for _, offsets := range got {
			sum += len(offsets)
		}
		return sum >= n
	}
}

func never(map[string][]int64) bool { return false }

func resets(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "odastream_consumer_resets_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if v := m.GetCounter().GetValue(); v > 0 {
				got[m.GetLabel()[0].GetValue()] = v
			}
		}
	}
	return got
}

func TestConsumerBegins(t *testing.T) {
	t.Parallel()
	other := [16]byte{1}
	cases := map[string]struct {
		stored func(id [16]byte) *schema.Position
		want   []int64
		resets map[string]float64
	}{
		"at the start without a stored offset":           {func([16]byte) *schema.Position { return nil }, []int64{0, 1, 2, 3, 4}, nil},
		"at the stored offset, whatever Kafka has":       {func(id [16]byte) *schema.Position { return &schema.Position{TopicID: id, Next: 3} }, []int64{3, 4}, nil},
		"at the start of a recreated topic":              {func([16]byte) *schema.Position { return &schema.Position{TopicID: other, Next: 3} }, []int64{0, 1, 2, 3, 4}, map[string]float64{"recreated": 1}},
		"at the start if the offset lies beyond the end": {func(id [16]byte) *schema.Position { return &schema.Position{TopicID: id, Next: 9} }, []int64{0, 1, 2, 3, 4}, map[string]float64{"out_of_range": 1}},
	}
	for claim, c := range cases {
		for _, direct := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, direct %v", claim, direct), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, kafkatest.Fake(t))
				topic := b.topic("sag", 1)
				b.produce(topic, 0, 5)
				tp := schema.TopicPartition{Topic: topic}
				o := &offsetsInMemory{}
				if stored := c.stored(b.id(topic)); stored != nil {
					o.set(tp, *stored)
				}
				b.commit(topic, 1)
				reg := prometheus.NewRegistry()
				consumer := b.open(direct, b.config(o), reg)
				got := b.read(consumer, o, total(len(c.want)))
				if diff := cmp.Diff(map[string][]int64{tp.String(): c.want}, got); diff != "" {
					t.Errorf("offsets read (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(c.resets, resets(t, reg), cmpEmpty()); diff != "" {
					t.Errorf("resets counted (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func cmpEmpty() cmp.Option {
	return cmp.FilterValues(func(a, b map[string]float64) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())
}

// commit sets the offset that Kafka has for the group: the consumer must ignore it.
func (b bench) commit(topic string, next int64) {
	b.t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 0, next, -1)
	if err := b.adm.CommitAllOffsets(b.t.Context(), b.cfg.TopicPrefix+"group", offsets); err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) open(direct bool, cc stream.GroupConfig, reg prometheus.Registerer) consumer {
	b.t.Helper()
	if !direct {
		return b.consumer(cc, reg)
	}
	c, err := stream.NewDirectConsumer(b.t.Context(), b.cfg, cc.ConsumerConfig, slog.New(slog.DiscardHandler), reg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(c.Close)
	return c
}

func TestConsumerFindsNewTopicsAndSkipsDeadLetters(t *testing.T) {
	t.Parallel()
	b, o := newBench(t, kafkatest.Fake(t)), &offsetsInMemory{}
	c := b.consumer(b.config(o), nil)
	dead, first := b.topic("sag.dlq", 1), b.topic("sag", 1)
	b.produce(dead, 0, 2)
	b.produce(first, 0, 2)
	if diff := cmp.Diff(map[string][]int64{first + "/0": {0, 1}}, b.read(c, o, total(2))); diff != "" {
		t.Errorf("offsets read (-want +got):\n%s", diff)
	}
	second := b.topic("of-an-unknown-entity", 2)
	b.produce(second, 1, 3)
	got := b.read(c, o, total(3))
	if diff := cmp.Diff(map[string][]int64{second + "/1": {0, 1, 2}}, got); diff != "" {
		t.Errorf("offsets read of the later topic (-want +got):\n%s", diff)
	}
}

func TestConsumerStartsOverWhenATopicIsRecreated(t *testing.T) {
	t.Parallel()
	brokers := map[string]func(t *testing.T) []string{
		"fake": func(t *testing.T) []string { t.Helper(); return kafkatest.Fake(t) },
		"real": func(t *testing.T) []string { t.Helper(); return kafkatest.Real(t) },
	}
	for name, brokers := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, o := newBench(t, brokers(t)), &offsetsInMemory{}
			topic := b.topic("sag", 1)
			b.produce(topic, 0, 5)
			reg := prometheus.NewRegistry()
			c := b.consumer(b.config(o), reg)
			b.read(c, o, total(5))
			if _, err := b.adm.DeleteTopic(t.Context(), topic); err != nil {
				t.Fatal(err)
			}
			b.topicAgain("sag", 1)
			b.cl.PurgeTopicsFromProducing(topic)
			b.produce(topic, 0, 3)
			got := b.read(c, o, total(3))
			if diff := cmp.Diff(map[string][]int64{topic + "/0": {0, 1, 2}}, got); diff != "" {
				t.Errorf("offsets read of the new topic (-want +got):\n%s", diff)
			}
			if got := resets(t, reg)["recreated"]; got != 1 {
				t.Errorf("recreated topics counted = %v, want 1", got)
			}
			if o.stored[schema.TopicPartition{Topic: topic}].TopicID != b.id(topic) {
				t.Error("the store still has the old topic's id")
			}
		})
	}
}

// topicAgain creates a topic under the name of one that was just deleted, as soon as
// the broker allows it.
func (b bench) topicAgain(name string, partitions int32) {
	b.t.Helper()
	for {
		_, err := b.adm.CreateTopic(b.t.Context(), partitions, 1, nil, b.cfg.TopicPrefix+name)
		if err == nil {
			return
		}
		if !errors.Is(err, kerr.TopicAlreadyExists) {
			b.t.Fatal(err)
		}
	}
}

func TestConsumerReportsThatBrokersAreDown(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Cluster(t)
	b, o := newBench(t, cluster.ListenAddrs()), &offsetsInMemory{}
	topic := b.topic("sag", 1)
	c := b.consumer(b.config(o), nil)
	b.produce(topic, 0, 1)
	b.read(c, o, total(1))
	if err := c.RefreshEnds(t.Context()); err != nil {
		t.Fatalf("RefreshEnds: %v", err)
	}
	if _, trouble := c.State(); trouble != "" {
		t.Errorf("trouble with a broker that answers = %q", trouble)
	}
	cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := c.RefreshEnds(ctx); err == nil {
		t.Error("RefreshEnds without a broker = nil")
	}
	if _, trouble := c.State(); !strings.Contains(trouble, "KAFKA_BROKERS says where it is") {
		t.Errorf("trouble without a broker = %q, want what to do", trouble)
	}
}

func TestConsumerWaitsForAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	b := newBench(t, kafkatest.Fake(t))
	topic := b.topic("sag", 1)
	b.produce(topic, 0, 2)
	o := &offsetsInMemory{away: errors.New("the database is on holiday")}
	c := b.consumer(b.config(o), nil)
	for {
		if spans, err := c.Poll(t.Context(), 10, 50*time.Millisecond); err != nil || len(spans) > 0 {
			t.Fatalf("Poll without offsets = %v, %v", spans, err)
		}
		_, trouble := c.State()
		if strings.Contains(trouble, "group session") {
			t.Fatalf("the consumer left its group for a store that is away: %s", trouble)
		}
		o.mu.Lock()
		tries := o.asked
		o.mu.Unlock()
		if tries > 3 && trouble == "start offsets: the database is on holiday" {
			break
		}
	}
	o.mu.Lock()
	o.away = nil
	o.mu.Unlock()
	b.read(c, o, total(2))
	if _, trouble := c.State(); trouble != "" {
		t.Errorf("trouble after the store came back = %q", trouble)
	}
}

func TestTwoConsumersShareAndHandOver(t *testing.T) {
	t.Parallel()
	b, o := newBench(t, kafkatest.Fake(t)), &offsetsInMemory{}
	topic := b.topic("sag", 4)
	var told []schema.TopicPartition
	cc := b.config(o)
	cc.Revoked = func(_ context.Context, lost []schema.TopicPartition) { told = append(told, lost...) }
	first := b.consumer(cc, nil)
	for p := range int32(4) {
		b.produce(topic, p, 1)
	}
	b.read(first, o, total(4))
	second := b.consumer(b.config(o), nil)
	b.both(first, second, func(a, b []stream.PartitionState) bool { return len(a) == 2 && len(b) == 2 })
	if len(told) != 2 {
		t.Errorf("partitions of which the first was told = %v, want two", told)
	}
	for p := range int32(4) {
		b.produce(topic, p, 1)
	}
	b.read(first, o, total(2))
	b.read(second, o, total(2))
	first.Close()
	for p := range int32(4) {
		b.produce(topic, p, 1)
	}
	if got := b.read(second, o, total(4)); len(got) != 4 {
		t.Errorf("the second goes on with %v, want all four partitions", got)
	}
}

// both polls two consumers until done.
func (b bench) both(first, second *stream.GroupConsumer, done func(a, b []stream.PartitionState) bool) {
	b.t.Helper()
	ctx := machine.Context(b.t, "both to own their share")
	for {
		for _, c := range []*stream.GroupConsumer{first, second} {
			if _, err := c.Poll(ctx, 100, 50*time.Millisecond); err != nil {
				b.t.Fatalf("Poll: %v", err)
			}
		}
		owned, _ := first.State()
		others, _ := second.State()
		if done(owned, others) {
			return
		}
	}
}

func TestReseekContinuesAtTheStoredOffset(t *testing.T) {
	t.Parallel()
	b, o := newBench(t, kafkatest.Fake(t)), &offsetsInMemory{}
	topic := b.topic("sag", 1)
	tp := schema.TopicPartition{Topic: topic}
	b.produce(topic, 0, 10)
	for _, direct := range []bool{false, true} {
		o.set(tp, schema.Position{TopicID: b.id(topic), Next: 0})
		c := b.open(direct, b.config(o), nil)
		spans := poll(t, c)
		o.set(tp, schema.Position{TopicID: b.id(topic), Next: 7})
		if err := c.Reseek(t.Context(), []schema.TopicPartition{tp}); err != nil {
			t.Fatal(err)
		}
		if c.Current(spans[0]) {
			t.Errorf("direct %v: a span handed out before Reseek is still current", direct)
		}
		got := b.read(c, o, total(3))
		if diff := cmp.Diff(map[string][]int64{tp.String(): {7, 8, 9}}, got); diff != "" {
			t.Errorf("direct %v: offsets read after Reseek (-want +got):\n%s", direct, diff)
		}
		c.Close()
	}
}

func poll(t *testing.T, c consumer) []stream.Span {
	t.Helper()
	for {
		spans, err := c.Poll(t.Context(), 1000, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if len(spans) > 0 {
			return spans
		}
	}
}

func TestPausedPartitionsAreNotRead(t *testing.T) {
	t.Parallel()
	b, o := newBench(t, kafkatest.Fake(t)), &offsetsInMemory{}
	topic := b.topic("sag", 2)
	c := b.consumer(b.config(o), nil)
	b.produce(topic, 0, 1)
	b.read(c, o, total(1))
	paused := schema.TopicPartition{Topic: topic, Partition: 0}
	c.Pause(paused)
	b.produce(topic, 0, 2)
	b.produce(topic, 1, 2)
	if got := b.read(c, o, total(2)); len(got[paused.String()]) > 0 {
		t.Errorf("records of the paused partition = %v", got)
	}
	c.Resume(paused)
	if got := b.read(c, o, total(2)); !slices.Equal(got[paused.String()], []int64{1, 2}) {
		t.Errorf("records after Resume = %v, want 1 and 2", got)
	}
}

func TestDirectConsumerStopsAtTheEndsAsOfItsStart(t *testing.T) {
	t.Parallel()
	b, o := newBench(t, kafkatest.Fake(t)), &offsetsInMemory{}
	topic := b.topic("sag", 2)
	b.topic("moede", 1) // empty
	b.produce(topic, 0, 3)
	b.produce(topic, 1, 2)
	c := b.open(true, b.config(o), nil)
	if got := c.Behind(); !slices.Equal(got, []string{topic}) {
		t.Errorf("Behind() = %v, want %s", got, topic)
	}
	b.produce(topic, 0, 4) // too late
	got := b.read(c, o, never)
	if diff := cmp.Diff(map[string][]int64{topic + "/0": {0, 1, 2}, topic + "/1": {0, 1}}, got); diff != "" {
		t.Errorf("offsets read (-want +got):\n%s", diff)
	}
	if got := c.Behind(); len(got) > 0 {
		t.Errorf("Behind() at the end = %v", got)
	}
}

// The end of a topic may hold no record: compaction removed the tombstones there, or it
// is a transaction's marker, as here. The client does not report that.
func TestDirectConsumerPassesAnEndWithoutRecords(t *testing.T) {
	t.Parallel()
	b, o := newBench(t, kafkatest.Fake(t)), &offsetsInMemory{}
	topic := b.topic("sag", 1)
	writer, err := stream.NewClient(b.cfg, slog.New(slog.DiscardHandler), kgo.TransactionalID(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := writer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := writer.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte("Sag:1")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := writer.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	c := b.open(true, b.config(o), nil)
	if got, _ := c.State(); len(got) != 1 || got[0].End != 2 {
		t.Fatalf("State() = %+v, want an end of 2, behind the marker", got)
	}
	got := b.read(c, o, never)
	if diff := cmp.Diff(map[string][]int64{topic + "/0": {0}}, got); diff != "" {
		t.Errorf("offsets read (-want +got):\n%s", diff)
	}
}

func TestSpanIsCutWithoutAGap(t *testing.T) {
	t.Parallel()
	span := stream.Span{From: 2, To: 12}
	for _, offset := range []int64{3, 7, 11} {
		span.Records = append(span.Records, &kgo.Record{Offset: offset})
	}
	head, rest := span.Cut(2)
	if head.From != 2 || head.To != 8 || rest.From != 8 || rest.To != 12 || len(head.Records) != 2 || len(rest.Records) != 1 {
		t.Errorf("Cut(2) = %+v and %+v", head, rest)
	}
}
