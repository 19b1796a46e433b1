package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/kafkatest"
	"odastream/internal/pgtest"
	"odastream/schema"
	"odastream/stream"
)

// rig is a database and a prefix of topics for one test of the binary.
type rig struct {
	kafka  stream.Config
	url    string
	pool   *pgxpool.Pool
	cl     *kgo.Client
	topics *stream.Topics
	pub    *stream.Publisher
	seq    int64
	rand   *rand.Rand
}

// entities are those that the rig publishes.
func entities() []string { return []string{"Sag", "Aktør"} }

func newRig(t *testing.T, brokers []string) *rig {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	r := &rig{
		kafka: stream.Config{Brokers: brokers, TopicPrefix: kafkatest.Prefix(t), Partitions: 3},
		url:   pgtest.Empty(t), seq: 1_795_445_400_000_000, rand: rand.New(rand.NewPCG(3, 4)),
	}
	var err error
	if r.pool, err = pgxpool.New(context.Background(), r.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.pool.Close)
	if r.cl, err = stream.NewClient(r.kafka, quiet); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.cl.Close)
	if r.pub, err = stream.NewPublisher(r.kafka, quiet, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.pub.Close)
	r.topics = stream.NewTopics(r.cl, r.kafka, quiet)
	if err := r.topics.Ensure(t.Context(), entities()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) environ() []string {
	return []string{
		"DATABASE_URL=" + r.url, "KAFKA_BROKERS=" + strings.Join(r.kafka.Brokers, ","), "KAFKA_TOPIC_PREFIX=" + r.kafka.TopicPrefix,
		"SINK_GROUP=" + r.kafka.TopicPrefix + "sink", "HTTP_ADDR=", "CACHE_GIN=off", "SINK_LINGER=20ms",
	}
}

// publish writes n random changes, one in ten a delete.
func (r *rig) publish(ctx context.Context, n int) error {
	var changes []schema.Change
	for range n {
		r.seq++
		c := schema.Change{
			Entity: entities()[r.rand.IntN(2)], ID: r.rand.Int64N(300), Action: schema.Update, Seq: r.seq,
			Timestamp: time.Now().UTC(), Origin: schema.OriginTail,
		}
		if r.rand.IntN(10) == 0 {
			c.Action = schema.Delete
		} else {
			c.Data = fmt.Appendf(nil, `{"id": %d, "titel": "nr. %d"}`, c.ID, r.seq)
		}
		changes = append(changes, c)
	}
	_, err := r.pub.Publish(ctx, changes)
	return err
}

func (r *rig) garbage(ctx context.Context, n int) error {
	for i := range n {
		rec := &kgo.Record{Topic: r.kafka.Topic("Sag"), Key: fmt.Appendf(nil, "Sag:%d", i), Value: []byte("{broken")}
		if err := r.cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// offsets are what the sink has stored, by topic and partition.
type offsets map[string][]int64

// cacheNow reads rows and offsets as of one moment.
func (r *rig) cacheNow(ctx context.Context) (rows map[string]string, at offsets, err error) {
	rows, at = map[string]string{}, offsets{}
	tx, err := r.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	got, err := tx.Query(ctx, "SELECT entity_type || ':' || entity_id, seq || ' ' || data FROM parliamentary_data")
	if err != nil {
		return nil, nil, err
	}
	var key, data string
	if _, err := pgx.ForEachRow(got, []any{&key, &data}, func() error { rows[key] = data; return nil }); err != nil {
		return nil, nil, err
	}
	got, err = tx.Query(ctx, "SELECT topic, partition, next_offset FROM sink_offsets")
	if err != nil {
		return nil, nil, err
	}
	var topic string
	var partition int32
	var next int64
	_, err = pgx.ForEachRow(got, []any{&topic, &partition, &next}, func() error {
		if at[topic] == nil {
			at[topic] = make([]int64, r.kafka.Partitions)
		}
		at[topic][partition] = next
		return nil
	})
	return rows, at, err
}

// modelAt is what the cache must hold if exactly the records before the offsets
// of at are applied; with a nil at, all records.
func (r *rig) modelAt(ctx context.Context, at offsets) (map[string]string, error) {
	rows, seqs := map[string]string{}, map[string]int64{}
	for _, entity := range entities() {
		topic := r.kafka.Topic(entity)
		_, err := r.topics.ReadLog(ctx, entity, nil, func(records []*kgo.Record) error {
			for _, rec := range records {
				if at != nil && (at[topic] == nil || rec.Offset >= at[topic][rec.Partition]) {
					continue
				}
				m, err := stream.Decode(rec)
				var broken *stream.DecodeError
				if errors.As(err, &broken) {
					continue
				}
				if key := string(rec.Key); m.Change.Seq > seqs[key] {
					seqs[key] = m.Change.Seq
					rows[key] = fmt.Sprintf("%d %s", m.Change.Seq, m.Change.Data)
					if m.Tombstone || m.Change.Action == schema.Delete {
						delete(rows, key)
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// check compares the cache with the records before its own offsets: all of them
// must be in it, and none after them.
//
// Invariant 2, seen from outside.
func (r *rig) check(ctx context.Context) error {
	rows, at, err := r.cacheNow(ctx)
	if err != nil {
		return err
	}
	want, err := r.modelAt(ctx, at)
	if err != nil {
		return err
	}
	return differ(want, rows)
}

func (r *rig) awaitModel(ctx context.Context) error {
	want, err := r.modelAt(ctx, nil)
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		rows, _, err := r.cacheNow(ctx)
		if err == nil {
			if err = differ(want, rows); err == nil {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

func differ(want, got map[string]string) error {
	var keys []string
	for key := range want {
		if normal(want[key]) != normal(got[key]) {
			keys = append(keys, key)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	text := fmt.Sprintf("%d of %d rows differ", len(keys), len(maps.Clone(want)))
	for _, key := range keys[:min(3, len(keys))] {
		text += fmt.Sprintf("\n%s: want %q, got %q", key, want[key], got[key])
	}
	return errors.New(text)
}

// normal brings the JSON after the seq into one form.
func normal(text string) string {
	seq, data, _ := strings.Cut(text, " ")
	var v any
	if json.Unmarshal([]byte(data), &v) != nil {
		return text
	}
	out, _ := json.Marshal(v)
	return seq + " " + string(out)
}
