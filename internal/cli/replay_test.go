package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/internal/test/kafkatest"
	"odastream/replay"
	"odastream/schema"
	"odastream/stream"
)

// newsroom is a stand with the topic of Sag.
type newsroom struct {
	stand
	adm *kadm.Client
}

func newNewsroom(t *testing.T, brokers []string) *newsroom {
	t.Helper()
	kafka := stream.Config{Brokers: brokers, TopicPrefix: kafkatest.Prefix(t), Partitions: 3}
	n := &newsroom{stand: newStand(t, kafka, "parliament-sink", "Sag", "Stemme")}
	n.adm = kadm.NewClient(n.cl)
	return n
}

func (n *newsroom) topic() string { return n.kafka.Topic("Sag") }

// odastream runs a command and gives its exit status and output.
func (n *newsroom) odastream(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	environ := []string{"DATABASE_URL=" + n.url, "KAFKA_BROKERS=" + strings.Join(n.kafka.Brokers, ","), "KAFKA_TOPIC_PREFIX=" + n.kafka.TopicPrefix}
	return Run(t.Context(), args, environ, &out, &out), out.String()
}

// replay runs replay and gives its report.
func (n *newsroom) replay(t *testing.T, args ...string) replay.Report {
	t.Helper()
	status, out := n.odastream(t, append([]string{"replay", "Sag", "--json"}, args...)...)
	var report replay.Report
	if err := json.Unmarshal([]byte(out), &report); status != 0 || err != nil {
		t.Fatalf("replay %q = %d, %v:\n%s", args, status, err, out)
	}
	return report
}

// recordOf is a change as the poller publishes it; one without an action is a tombstone.
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
	if err := n.cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// published is when the first record of publish was written; each is a second
// behind the one before.
var published = time.Now().Add(-2 * time.Hour).Truncate(time.Second)

// publish writes five versions of each of the rows 1 to rows; every tenth row is
// deleted in the end. It returns how many records that are.
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

// state is everything that the cache holds, as one text.
func (n *newsroom) state(t *testing.T) (text string) {
	t.Helper()
	err := n.pool.QueryRow(t.Context(), `SELECT COALESCE(string_agg(line, E'\n' ORDER BY line), '') FROM (
    SELECT p::text AS line FROM parliamentary_data p UNION ALL SELECT 'deleted '||d::text FROM parliamentary_deleted d
    UNION ALL SELECT 'history '||h::text FROM parliamentary_history h UNION ALL SELECT 'offset '||o::text FROM sink_offsets o) x`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sinkOnce applies the topic with its offsets, as a sink does.
func (n *newsroom) sinkOnce(ctx context.Context, perBatch int) error {
	log := slog.New(slog.DiscardHandler)
	_, err := stream.NewTopics(n.cl, n.kafka, log).ReadLog(ctx, "Sag", nil, func(records []*kgo.Record) error {
		for len(records) > 0 {
			part := records[:min(perBatch, len(records))]
			records = records[len(part):]
			tp := cache.TopicPartition{Topic: n.topic(), Partition: part[0].Partition}
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
			if _, err := n.store.Apply(ctx, b); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func TestReplayOverACompleteCacheChangesNothing(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	records := n.publish(t, 100)
	if err := n.sinkOnce(t.Context(), 50); err != nil {
		t.Fatal(err)
	}
	before := n.state(t)
	for range 2 {
		got := n.replay(t, "--from", "start")
		if want := (replay.Report{Entity: "Sag", Read: records, Chosen: records, Stale: got.Stale, Superseded: got.Superseded}); got != want || got.Stale+got.Superseded != records {
			t.Errorf("replay = %+v, want all %d records stale or superseded", got, records)
		}
	}
	if after := n.state(t); after != before {
		t.Errorf("a replay changed the cache:\n%s\nwas:\n%s", after, before)
	}
}

func TestReplayBringsBackWhatTheCacheHasLost(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	records := n.publish(t, 100)
	first := n.replay(t, "--from", "start")
	if first.Inserted != 90 || first.Deleted != 10 || first.Read != records {
		t.Fatalf("replay into an empty cache = %+v, want 90 inserted, 10 deleted of %d", first, records)
	}
	n.exec(t, `DELETE FROM parliamentary_data WHERE entity_id BETWEEN 21 AND 49`)
	broken := n.state(t)
	if got := n.replay(t, "--from", "start", "--dry-run"); got.Would != 27 || !got.DryRun || got.Inserted != 0 {
		t.Errorf("replay --dry-run = %+v, want 27 rows that would be written", got)
	}
	if n.state(t) != broken {
		t.Error("a dry run changed the cache")
	}
	if got := n.replay(t, "--from", "start", "--key", "21"); got.Inserted != 1 || got.Chosen != 5 {
		t.Errorf("replay --key = %+v, want 1 inserted of 5 chosen", got)
	}
	if got := n.replay(t, "--from", "start", "--key", "Sag:22"); got.Inserted != 1 || got.Read >= records {
		t.Errorf("replay --key Sag:22 = %+v, want 1 inserted, and one partition read", got)
	}
	if got := n.replay(t, "--from", "start", "--ids", "20..30"); got.Inserted != 7 {
		t.Errorf("replay --ids = %+v, want the 7 lost ones of 23 to 29", got)
	}
	if got := n.replay(t, "--from", "start"); got.Inserted != 18 {
		t.Errorf("replay of the rest = %+v, want 18 inserted", got)
	}
}

func TestReplayNeverTakesARowBack(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	n.publish(t, 30)
	newer := time.Now().UnixMicro()
	for id := int64(1); id <= 5; id++ {
		c := changeOf(id, newer, `{"titel":"newer than the topic"}`)
		if id == 5 {
			c.Action, c.Data = schema.Delete, nil
		}
		if _, err := n.store.Apply(t.Context(), cache.Batch{Records: []cache.Record{{TopicPartition: cache.TopicPartition{Topic: n.topic()}, Change: c}}}); err != nil {
			t.Fatal(err)
		}
	}
	before := n.state(t)
	if got := n.replay(t, "--from", "start", "--ids", "1..5"); got.Inserted+got.Updated+got.Deleted+got.Unchanged != 0 || got.Chosen != 25 {
		t.Errorf("replay of older records = %+v, want none of 25 applied", got)
	}
	if n.state(t) != before {
		t.Error("a replay took rows back")
	}
}

// While a sink applies the same partitions, both end at the topic's last versions.
func TestReplayBesideARunningSink(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	n.publish(t, 60)
	done := make(chan error, 1)
	go func() { done <- n.sinkOnce(t.Context(), 7) }()
	for running := true; running; {
		n.replay(t, "--from", "start")
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("sink beside a replay: %v", err)
			}
			running = false
		default:
		}
	}
	var got string
	if err := n.pool.QueryRow(t.Context(), `SELECT format('%s rows, %s of the last version, %s deleted, %s offsets', count(*),
count(*) FILTER (WHERE data->>'titel' = 'version 4'), (SELECT count(*) FROM parliamentary_deleted), (SELECT sum(next_offset) FROM sink_offsets)) FROM parliamentary_data`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "54 rows, 54 of the last version, 6 deleted, 306 offsets"; got != want {
		t.Errorf("cache = %s, want %s", got, want)
	}
}

func TestReplayBeginsWhereItIsTold(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	n.publish(t, 50) // the last round begins 200 s after the first
	last := published.Add(200 * time.Second).UTC().Format(time.RFC3339)
	if got := n.replay(t, "--from", last); got.Read != 55 {
		t.Errorf("replay --from %s = %+v, want the 55 records of the last round", last, got)
	}
	if got := n.replay(t, "--from", "3h", "--dry-run"); got.Read != 255 {
		t.Errorf("replay --from 3h = %+v, want all 255 records", got)
	}
	if got := n.replay(t, "--from", "1s"); got.Read != 0 {
		t.Errorf("replay --from 1s = %+v, want no record", got)
	}
	all := n.replay(t, "--from", "0", "--partition", "1", "--dry-run").Read
	if got := n.replay(t, "--from", "10", "--partition", "1", "--dry-run"); got.Read != all-10 || all == 0 {
		t.Errorf("replay --from 10 of one partition = %+v, want %d records", got, all-10)
	}
	n.cut(t, 1, 5)
	for claim, tt := range map[string]struct{ from, want string }{
		"what is gone":         {"4", "offset 4 of topic " + n.topic() + " partition 1 is gone: it holds 5 to "},
		"what is yet to come":  {"1000", "is yet to come: it holds 5 to "},
		"no such partition":    {"0 --partition 7", "has no partition 7"},
		"a row is not in here": {"start --key 1 --partition " + fmt.Sprint(otherThan(1)), "row 1 of Sag is in partition"},
	} {
		args := append([]string{"replay", "Sag", "--partition", "1", "--from"}, strings.Fields(tt.from)...)
		if status, out := n.odastream(t, args...); status != 1 || !strings.Contains(out, tt.want) {
			t.Errorf("%s: replay %q = %d, want 1 and %q:\n%s", claim, args, status, tt.want, out)
		}
	}
}

// cut takes away what a partition holds before an offset. Kafka does that to topics
// that may also be deleted from.
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

// otherThan is a partition that does not hold the row.
func otherThan(id int64) int {
	return (int(stream.PartitionOf(schema.Key("Sag", id), 3)) + 1) % 3
}

// A record of no sense and one that Postgres refuses are named, and stop no other.
func TestReplayGoesOnBehindABadRecord(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	n.publish(t, 20)
	n.produce(t, n.recordOf(changeOf(21, 10, `{"titel":"\u0000"}`)), &kgo.Record{Topic: n.topic(), Key: []byte("Sag:22"), Value: []byte("{")})
	n.produce(t, n.recordOf(changeOf(23, 10, `{"titel":"good"}`)))
	status, out := n.odastream(t, "replay", "Sag", "--from", "start")
	if status != 1 || !strings.Contains(out, "refused: ") || !strings.Contains(out, "unreadable: ") ||
		!strings.Contains(out, ": 19 rows inserted, ") || !strings.Contains(out, "; 2 could not be applied") {
		t.Errorf("replay with two bad records = %d:\n%s", status, out)
	}
	if !strings.HasPrefix(out, "applying all rows of Sag once more to the cache") {
		t.Errorf("replay does not first say what it will do:\n%s", out)
	}
	if status, out := n.odastream(t, "replay", "Sag", "--from", "start", "--ids", "1..20"); status != 0 {
		t.Errorf("replay of other rows = %d, want 0:\n%s", status, out)
	}
}

func TestReplayUsage(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		args []string
		want string
	}{
		"no entity":           {[]string{"--from", "start"}, "which entity"},
		"unknown entity":      {[]string{"Sagg", "--from", "start"}, "Sagg"},
		"two entities":        {[]string{"Sag", "--entity", "Stemme", "--from", "start"}, "two entities"},
		"no place":            {[]string{"Sag"}, "from where"},
		"no sensible place":   {[]string{"Sag", "--from", "yesterday"}, "want start, an offset"},
		"a place to come":     {[]string{"Sag", "--from", "2999-01-01T00:00:00Z"}, "yet to come"},
		"a negative offset":   {[]string{"Sag", "--from", "-4"}, "want start, an offset"},
		"key and ids":         {[]string{"Sag", "--from", "start", "--key", "1", "--ids", "1..2"}, "not both"},
		"key of another set":  {[]string{"Sag", "--from", "start", "--key", "Stemme:1"}, "want the id of a row of Sag"},
		"ids the wrong way":   {[]string{"Sag", "--from", "start", "--ids", "5..1"}, "want FIRST..LAST"},
		"to without a group":  {[]string{"Sag", "--to", "start"}, "--to is for --group"},
		"group with from":     {[]string{"--group", "g", "--from", "start"}, "--to a place"},
		"group without place": {[]string{"--group", "g"}, "to where"},
		"group's bare offset": {[]string{"--group", "g", "--to", "5"}, "one topic only"},
		"no partition":        {[]string{"Sag", "--from", "start", "--partition", "-2"}, "--partition"},
		"two arguments":       {[]string{"Sag", "Stemme"}, "want odastream replay [ENTITY]"},
	} {
		var out bytes.Buffer
		status := Run(t.Context(), append([]string{"replay"}, tt.args...), []string{"DATABASE_URL=postgres://localhost:1/x", "KAFKA_BROKERS=localhost:1"}, &out, &out)
		if status != 2 || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: replay %q = %d, want 2 and %q:\n%s", claim, tt.args, status, tt.want, &out)
		}
	}
}
