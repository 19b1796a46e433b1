package apply_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/apply"
	"odastream/cache"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/rebuild"
	"odastream/schema"
	"odastream/stream"
)

// rig is a Kafka and a Postgres with topics for a few entities, and the model that the
// cache must equal once everything published is applied.
type rig struct {
	t     *testing.T
	kafka stream.Config
	url   string
	pool  *pgxpool.Pool // for the test's own queries
	pub   *stream.Publisher
	raw   *kgo.Client
	adm   *kadm.Client

	entities []string
	seq      int64
	rows     map[string]string // key → data
	rand     *rand.Rand
}

func newRig(t *testing.T, brokers []string, entities ...string) *rig {
	t.Helper()
	r := &rig{
		t: t, entities: entities, url: pgtest.Migrated(t), seq: 1_795_445_400_000_000,
		kafka: stream.Config{Brokers: brokers, TopicPrefix: kafkatest.Prefix(t), Partitions: 3},
		rows:  map[string]string{}, rand: rand.New(rand.NewPCG(1, 2)),
	}
	quiet := slog.New(slog.DiscardHandler)
	var err error
	if r.raw, err = stream.NewClient(r.kafka, quiet); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.raw.Close)
	r.adm = kadm.NewClient(r.raw)
	if err := stream.NewTopics(r.raw, r.kafka, quiet).Ensure(t.Context(), entities); err != nil {
		t.Fatal(err)
	}
	if r.pub, err = stream.NewPublisher(r.kafka, quiet, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.pub.Close)
	r.pool = r.connect(r.url)
	return r
}

func (r *rig) connect(url string) *pgxpool.Pool {
	r.t.Helper()
	cfg, err := cache.PoolConfig(url)
	if err != nil {
		r.t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(pool.Close)
	return pool
}

// through is the database's URL through another address.
func (r *rig) through(addr string) string {
	r.t.Helper()
	u, err := url.Parse(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	u.Host = addr
	q := u.Query()
	q.Del("host")
	q.Del("port")
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return u.String()
}

// server is the address of the database.
func (r *rig) server() string {
	r.t.Helper()
	cfg, err := pgx.ParseConfig(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	_, addr := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	return addr
}

// publish writes n random changes, some of them deletes, and updates the model.
func (r *rig) publish(n int) {
	r.t.Helper()
	var changes []schema.Change
	for range n {
		changes = append(changes, r.change())
	}
	if _, err := r.pub.Publish(r.t.Context(), changes); err != nil {
		r.t.Fatalf("publish %d changes: %v", n, err)
	}
}

func (r *rig) change() schema.Change {
	r.seq++
	entity := r.entities[r.rand.IntN(len(r.entities))]
	id := r.rand.Int64N(400)
	key := schema.Key(entity, id)
	c := schema.Change{
		Entity: entity, ID: id, Action: schema.Update, Seq: r.seq, Timestamp: time.Now().UTC(),
		Opdateringsdato: "2026-11-23T16:09:58.347", Origin: schema.OriginTail,
	}
	if _, exists := r.rows[key]; exists && r.rand.IntN(10) == 0 {
		c.Action = schema.Delete
		delete(r.rows, key)
		return c
	}
	c.Data = fmt.Appendf(nil, `{"id":%d,"titel":"Æblegrød nr. %d","opdateringsdato":"2026-11-23T16:09:58.347"}`, id, r.seq)
	r.rows[key] = string(c.Data)
	return c
}

// produce writes a record with any value to an entity's topic.
func (r *rig) produce(entity, key, value string) *kgo.Record {
	r.t.Helper()
	rec := &kgo.Record{Topic: r.kafka.Topic(entity), Key: []byte(key), Value: []byte(value)}
	if err := r.raw.ProduceSync(r.t.Context(), rec).FirstErr(); err != nil {
		r.t.Fatalf("produce to %s: %v", rec.Topic, err)
	}
	return rec
}

// sink is one on the rig's Kafka and the database at url.
func (r *rig) sink(url string, cfg apply.Config, reg prometheus.Registerer) *apply.Sink {
	r.t.Helper()
	return r.sinkOn(cache.New(r.connect(url), cfg.Group, cache.Config{GIN: "off"}, slog.New(slog.DiscardHandler)), cfg, reg)
}

type store interface {
	Apply(ctx context.Context, b cache.Batch) (cache.Result, error)
	CanWrite(ctx context.Context) error
	Positions(ctx context.Context) (map[schema.TopicPartition]schema.Position, error)
	Reset(ctx context.Context, tp schema.TopicPartition, was, now schema.Position) error
	OpenShadow(ctx context.Context, topic cache.ShadowTopic) (*cache.ShadowTable, error)
}

func (r *rig) sinkOn(s store, cfg apply.Config, reg prometheus.Registerer) *apply.Sink {
	r.t.Helper()
	return apply.New(cfg, r.kafka, r.parts(s), slog.New(slog.DiscardHandler), reg)
}

// parts are those of a real sink.
func (r *rig) parts(s store) apply.Parts {
	topics := stream.NewTopics(r.raw, r.kafka, slog.New(slog.DiscardHandler))
	return apply.Parts{
		Store:       s,
		DeadLetters: apply.DeadLetterWriter{Publisher: r.pub, Topics: topics, Kafka: r.kafka},
		Rebuilder:   &rebuild.Rebuilder{Topics: topics, Kafka: r.kafka, Store: s},
	}
}

func (r *rig) config() apply.Config {
	return apply.Config{Group: r.kafka.TopicPrefix + "sink", BatchRows: 100, BatchBytes: 1 << 20, Linger: 20 * time.Millisecond}
}

// run starts s. The returned stop ends it and returns Run's error.
func (r *rig) run(s *apply.Sink) (stop func() error) {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	r.t.Cleanup(func() { _ = stop() })
	return stop
}

func (r *rig) once(s *apply.Sink) {
	r.t.Helper()
	ctx := r.wait("Once to end").Context(r.t)
	if err := s.Once(ctx); err != nil {
		r.t.Fatalf("Once: %v", err)
	}
	if ctx.Err() != nil {
		r.t.Fatal(context.Cause(ctx))
	}
}

// await waits until done, for as long as offsets, rows or dead letters move.
func (r *rig) await(what string, done func() bool) {
	r.t.Helper()
	r.wait(what).Until(r.t, done)
}

func (r *rig) wait(what string) machine.Wait {
	return machine.Wait{For: what, Progress: r.applied, Details: func() string { return "rows differ by:\n" + r.differ() }}
}

// applied is a value that changes with everything a sink writes; nil while the database
// does not answer.
func (r *rig) applied() any {
	var sum string
	if err := r.pool.QueryRow(context.WithoutCancel(r.t.Context()), `SELECT concat_ws(' ', (SELECT sum(next_offset) FROM sink_offsets),
    (SELECT count(*) FROM parliamentary_data), (SELECT count(*) FROM dead_letters))`).Scan(&sum); err != nil {
		return nil
	}
	return sum
}

// awaitModel waits until the cache equals the model.
func (r *rig) awaitModel() {
	r.t.Helper()
	r.await("cache to hold what was published", func() bool { return maps.Equal(r.table(), r.normal()) })
}

// table is parliamentary_data as key → data.
func (r *rig) table() map[string]string {
	r.t.Helper()
	rows, err := r.pool.Query(r.t.Context(), "SELECT entity_type || ':' || entity_id, data::text FROM parliamentary_data")
	if err != nil {
		r.t.Fatal(err)
	}
	got := map[string]string{}
	var key, data string
	if _, err := pgx.ForEachRow(rows, []any{&key, &data}, func() error { got[key] = normal(r.t, data); return nil }); err != nil {
		r.t.Fatal(err)
	}
	return got
}

func (r *rig) normal() map[string]string {
	got := make(map[string]string, len(r.rows))
	for key, data := range r.rows {
		got[key] = normal(r.t, data)
	}
	return got
}

// differ says how the cache differs from the model, with a few of the rows.
func (r *rig) differ() string {
	r.t.Helper()
	want, got := r.normal(), r.table()
	maps.DeleteFunc(want, func(key, data string) bool {
		same := got[key] == data
		if same {
			delete(got, key)
		}
		return same
	})
	if len(want)+len(got) == 0 {
		return ""
	}
	text := fmt.Sprintf("%d rows missing or different, %d of the cache's instead", len(want), len(got))
	for _, key := range slices.Sorted(maps.Keys(want))[:min(3, len(want))] {
		text += fmt.Sprintf("\n%s: want %s, got %s", key, want[key], got[key])
	}
	return text
}

// normal writes JSON with sorted members; jsonb has another order.
func normal(t *testing.T, data string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// value asks the database for one value as text.
func (r *rig) value(sql string, args ...any) string {
	r.t.Helper()
	var got string
	if err := r.pool.QueryRow(r.t.Context(), "SELECT COALESCE(("+sql+")::text, '')", args...).Scan(&got); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
	return got
}

// dead lists dead_letters as "topic/partition@offset class sqlstate".
func (r *rig) dead() string {
	return r.value(`SELECT string_agg(topic || '/' || partition || '@' || "offset" || ' ' || class || ' ' || COALESCE(sqlstate, ''), E'\n' ORDER BY topic, partition, "offset") FROM dead_letters`)
}

func at(rec *kgo.Record, class string) string {
	return fmt.Sprintf("%s/%d@%d %s", rec.Topic, rec.Partition, rec.Offset, class)
}

// letters reads the dead-letter topic of an entity, as "key class".
func (r *rig) letters(entity string) []string {
	r.t.Helper()
	topic := r.kafka.DeadLetterTopic(entity)
	ends, err := r.adm.ListEndOffsets(r.t.Context(), topic)
	if err != nil {
		r.t.Fatal(err)
	}
	want := 0
	ends.Each(func(o kadm.ListedOffset) { want += int(max(o.Offset, 0)) })
	cl, err := stream.NewClient(r.kafka, slog.New(slog.DiscardHandler), kgo.ConsumeTopics(topic))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	var got []string
	for len(got) < want {
		fetches := cl.PollFetches(r.t.Context())
		if err := fetches.Err(); err != nil {
			r.t.Fatal(err)
		}
		for _, rec := range fetches.Records() {
			class := ""
			for _, h := range rec.Headers {
				if h.Key == stream.HeaderDeadClass {
					class = string(h.Value)
				}
			}
			got = append(got, strings.TrimSpace(string(rec.Key)+" "+class))
		}
	}
	return got
}

// sum adds up a metric over its labels.
func sum(t *testing.T, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if len(labels) == 0 || len(m.GetLabel()) > 0 && m.GetLabel()[0].GetValue() == labels[0] {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return total
}
