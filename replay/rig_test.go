package replay_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/stand"
	"odastream/replay"
	"odastream/schema"
	"odastream/stream"
)

// newsroom is a stand with the topic of Sag.
type newsroom struct {
	*stand.Stand
	adm *kadm.Client
}

func newNewsroom(t *testing.T, brokers []string) *newsroom {
	t.Helper()
	kafka := stream.Config{Brokers: brokers, TopicPrefix: kafkatest.Prefix(t), Partitions: 3}
	n := &newsroom{Stand: stand.New(t, kafka, "parliament-sink", "Sag", "Stemme")}
	n.adm = kadm.NewClient(n.Client)
	return n
}

func (n *newsroom) topic() string { return n.Kafka.Topic("Sag") }

// replayer returns a Replayer on the stand.
func (n *newsroom) replayer() *replay.Replayer {
	return &replay.Replayer{Client: n.Client, Topics: n.Topics, Kafka: n.Kafka, Store: n.Store, Reader: cache.NewReader(n.Pool)}
}

// request says what is replayed of Sag: by default all rows from the start.
type request struct {
	from      replay.Place
	first     int64 // of the ids; 0: all
	last      int64
	partition int // 1 or 2; 0: all
	dry       bool
}

// replay runs a replay and returns its report.
func (n *newsroom) replay(t *testing.T, q request) replay.Report {
	t.Helper()
	ids, partition := replay.AllRows(), replay.AllPartitions
	if q.first > 0 {
		ids = schema.IDRange{Low: q.first - 1, High: q.last}
	}
	if q.partition > 0 {
		partition = q.partition
	}
	r := n.replayer()
	plan, err := r.Plan(t.Context(), "Sag", ids, q.from, partition)
	if err != nil {
		t.Fatalf("Plan(%+v): %v", q, err)
	}
	report, err := r.Run(t.Context(), plan, q.dry)
	if err != nil {
		t.Fatalf("Run(%+v): %v", q, err)
	}
	return report
}

// recordOf returns a change as the poller publishes it; a change without an action is a
// tombstone.
func (n *newsroom) recordOf(c schema.Change) *kgo.Record {
	r := &kgo.Record{
		Topic: n.topic(), Key: []byte(c.Key()), Timestamp: time.UnixMicro(c.Seq),
		Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte(c.EventID())}},
	}
	if c.Action != "" {
		r.Value = c.AppendJSON(nil)
	}
	return r
}

func (n *newsroom) produce(t *testing.T, records ...*kgo.Record) {
	t.Helper()
	if err := n.Client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// published is when the first record of publish was written; each further one is a
// second later.
var published = time.Now().Add(-2 * time.Hour).Truncate(time.Second)

// publish writes five versions of each of the rows 1 to rows; every tenth row is
// deleted in the end. It returns the number of records.
func (n *newsroom) publish(t *testing.T, rows int) int {
	t.Helper()
	var records []*kgo.Record
	next := published
	change := func(id int64, action schema.Action, data string) {
		c := schema.Change{Entity: "Sag", ID: id, Action: action, Seq: next.UnixMicro(), Timestamp: next, Origin: schema.OriginTail, Data: []byte(data)}
		records, next = append(records, n.recordOf(c)), next.Add(time.Second)
		if action == schema.Delete {
			c.Action = ""
			records = append(records, n.recordOf(c))
		}
	}
	for version := range 5 {
		for id := int64(1); id <= int64(rows); id++ {
			if version == 4 && id%10 == 0 {
				change(id, schema.Delete, "")
			} else {
				change(id, schema.Update, fmt.Sprintf(`{"id":%d,"titel":"version %d"}`, id, version))
			}
		}
	}
	n.produce(t, records...)
	return len(records)
}

// state returns everything that the cache holds, as one text.
func (n *newsroom) state(t *testing.T) (text string) {
	t.Helper()
	err := n.Pool.QueryRow(t.Context(), `SELECT COALESCE(string_agg(line, E'\n' ORDER BY line), '') FROM (
    SELECT p::text AS line FROM parliamentary_data p UNION ALL SELECT 'deleted '||d::text FROM parliamentary_deleted d
    UNION ALL SELECT 'history '||h::text FROM parliamentary_history h UNION ALL SELECT 'offset '||o::text FROM sink_offsets o) x`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sinkOnce applies the topic with its offsets, as a sink does.
func (n *newsroom) sinkOnce(ctx context.Context, perBatch int) error {
	_, err := n.Topics.ReadLog(ctx, "Sag", nil, func(records []*kgo.Record) error {
		for len(records) > 0 {
			part := records[:min(perBatch, len(records))]
			records = records[len(part):]
			tp := schema.TopicPartition{Topic: n.topic(), Partition: part[0].Partition}
			move := cache.Move{TopicPartition: tp, From: part[0].Offset, To: part[len(part)-1].Offset + 1}
			if move.From == 0 {
				move.From = schema.NoOffset
			}
			b := cache.Batch{Moves: []cache.Move{move}}
			for _, r := range part {
				m, err := stream.Decode(r)
				if err != nil {
					return err
				}
				b.Records = append(b.Records, cache.Record{TopicPartition: tp, Offset: r.Offset, Change: m.Change, Tombstone: m.Tombstone})
			}
			if _, err := n.Store.Apply(ctx, b); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// cut deletes a partition's records before an offset. Kafka does that to topics whose
// cleanup policy includes delete.
func (n *newsroom) cut(t *testing.T, partition int32, at int64) {
	t.Helper()
	policy := "compact,delete"
	set, err := n.adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "cleanup.policy", Value: &policy}}, n.topic())
	if err == nil {
		_, err = set.On(n.topic(), func(r *kadm.AlterConfigsResponse) error { return r.Err })
	}
	if err != nil {
		t.Fatal(err)
	}
	o := kadm.Offsets{}
	o.Add(kadm.Offset{Topic: n.topic(), Partition: partition, At: at, LeaderEpoch: -1})
	cut, err := n.adm.DeleteRecords(t.Context(), o)
	if err == nil {
		err = cut.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// otherThan returns a partition that does not hold the row.
func otherThan(id int64) int {
	return (int(stream.PartitionOf(schema.Key("Sag", id), 3)) + 1) % 3
}
