package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/internal/test/program"
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

// snapshot is the cache and its offsets as of one moment.
type snapshot struct {
	rows map[string]string // key → seq and data
	at   offsets
}

// snapshot reads both in one transaction. Before there are tables it is empty.
func (r *rig) snapshot(ctx context.Context) (s snapshot, err error) {
	s = snapshot{map[string]string{}, offsets{}}
	tx, err := r.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return s, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	got, err := tx.Query(ctx, "SELECT entity_type || ':' || entity_id, seq || ' ' || data FROM parliamentary_data")
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42P01" {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	var key, data string
	if _, err := pgx.ForEachRow(got, []any{&key, &data}, func() error { s.rows[key] = data; return nil }); err != nil {
		return s, err
	}
	got, err = tx.Query(ctx, "SELECT topic, partition, next_offset FROM sink_offsets")
	if err != nil {
		return s, err
	}
	var topic string
	var partition int32
	var next int64
	_, err = pgx.ForEachRow(got, []any{&topic, &partition, &next}, func() error {
		if s.at[topic] == nil {
			s.at[topic] = make([]int64, r.kafka.Partitions)
		}
		s.at[topic][partition] = next
		return nil
	})
	return s, err
}

func (o offsets) sum() (sum int64) {
	for _, partitions := range o {
		for _, next := range partitions {
			sum += next
		}
	}
	return sum
}

// log reads every record of the rig's topics.
func (r *rig) log(ctx context.Context) (all []*kgo.Record, err error) {
	for _, entity := range entities() {
		_, err := r.topics.ReadLog(ctx, entity, nil, func(records []*kgo.Record) error {
			all = append(all, records...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// modelAt is what the cache must hold if exactly the records before at are
// applied; with a nil at, all records.
func modelAt(log []*kgo.Record, at offsets) map[string]string {
	rows, seqs := map[string]string{}, map[string]int64{}
	for _, rec := range log {
		if at != nil && (at[rec.Topic] == nil || rec.Offset >= at[rec.Topic][rec.Partition]) {
			continue
		}
		m, err := stream.Decode(rec)
		key := string(rec.Key)
		if err != nil || m.Change.Seq <= seqs[key] {
			continue
		}
		seqs[key] = m.Change.Seq
		rows[key] = fmt.Sprintf("%d %s", m.Change.Seq, m.Change.Data)
		if m.Tombstone || m.Change.Action == schema.Delete {
			delete(rows, key)
		}
	}
	return rows
}

// check compares caches with the records before their own offsets: all of them
// must be in it, and none after them.
//
// Invariant 2, seen from outside.
func (r *rig) check(ctx context.Context, snapshots ...snapshot) error {
	log, err := r.log(ctx)
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		if err := differ(modelAt(log, s.at), s.rows); err != nil {
			return fmt.Errorf("cache at %v: %w", s.at, err)
		}
	}
	return nil
}

// awaitModel waits until all records are applied, by the sinks that run in the
// background if there are any.
func (r *rig) awaitModel(ctx context.Context, sinks ...*exec.Cmd) error {
	log, err := r.log(ctx)
	if err != nil {
		return err
	}
	want := modelAt(log, nil)
	var applied int64
	wait := machine.Wait{
		For:      "all records to be applied",
		Progress: func() any { return applied },
		Details:  func() string { return fmt.Sprint(err) },
	}
	return program.Script(wait, sinks, func() (bool, error) {
		var now snapshot
		if now, err = r.snapshot(ctx); err == nil {
			applied = now.at.sum()
			err = differ(want, now.rows)
		}
		return err == nil, nil
	})
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
	text := fmt.Sprintf("%d of %d rows differ", len(keys), len(want))
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
