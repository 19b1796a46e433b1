package apply_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/apply"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/schema"
	"odastream/stream"
)

// tombstones is the delete.retention.ms of these tests.
const tombstones = time.Second

const (
	backup = `CREATE SCHEMA backup;
CREATE TABLE backup.parliamentary_data AS SELECT * FROM parliamentary_data;
CREATE TABLE backup.parliamentary_deleted AS SELECT * FROM parliamentary_deleted;
CREATE TABLE backup.parliamentary_history AS SELECT * FROM parliamentary_history;
CREATE TABLE backup.sink_offsets AS SELECT * FROM sink_offsets`

	restore = `BEGIN; TRUNCATE parliamentary_data, parliamentary_deleted, parliamentary_history, sink_offsets;
INSERT INTO parliamentary_data SELECT * FROM backup.parliamentary_data;
INSERT INTO parliamentary_deleted SELECT * FROM backup.parliamentary_deleted;
INSERT INTO parliamentary_history SELECT * FROM backup.parliamentary_history;
INSERT INTO sink_offsets SELECT * FROM backup.sink_offsets; COMMIT`

	resurrected = `SELECT count(*) FROM parliamentary_deleted d JOIN parliamentary_data p USING (entity_type, entity_id)`
	untold      = `SELECT count(*) FROM backup.parliamentary_data b WHERE NOT EXISTS (SELECT FROM parliamentary_data p WHERE (p.entity_type, p.entity_id) = (b.entity_type, b.entity_id))
  AND NOT EXISTS (SELECT FROM parliamentary_history h WHERE (h.entity_type, h.entity_id, h.action) = (b.entity_type, b.entity_id, 'delete'))`
)

func (r *rig) exec(sql string) {
	r.t.Helper()
	if _, err := r.pool.Exec(r.t.Context(), sql); err != nil {
		r.t.Fatalf("%.80s: %v", sql, err)
	}
}

// execBeside is exec beside a running sink. Postgres may end it to resolve a deadlock:
// TRUNCATE locks tables in another order than the sink.
func (r *rig) execBeside(sql string) {
	r.t.Helper()
	machine.Until(r.t, "no deadlock", func() bool {
		_, err := r.pool.Exec(r.t.Context(), sql)
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "40P01" {
			return false
		}
		if err != nil {
			r.t.Fatalf("%.80s: %v", sql, err)
		}
		return true
	})
}

// compactEagerly has the broker compact the topic of entity as soon as it can, and keep
// tombstones for a second only.
func (r *rig) compactEagerly(entity string) {
	r.t.Helper()
	var configs []kadm.AlterConfig
	for name, value := range map[string]string{
		"segment.ms": "100", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0", "max.compaction.lag.ms": "100",
		"delete.retention.ms": fmt.Sprint(tombstones.Milliseconds()),
	} {
		configs = append(configs, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	if _, err := r.adm.AlterTopicConfigs(r.t.Context(), configs, r.kafka.Topic(entity)); err != nil {
		r.t.Fatal(err)
	}
}

// touch updates rows of all partitions, so that their segments are rolled.
func (r *rig) touch(entity string) {
	r.t.Helper()
	var changes []schema.Change
	for id := int64(1000); id < 1012; id++ {
		r.seq++
		c := schema.Change{Entity: entity, ID: id, Action: schema.Update, Seq: r.seq, Timestamp: time.Now(), Origin: schema.OriginTail}
		c.Data = fmt.Appendf(nil, `{"id":%d,"titel":"%d"}`, id, r.seq)
		r.rows[schema.Key(entity, id)] = string(c.Data)
		changes = append(changes, c)
	}
	if _, err := r.pub.Publish(r.t.Context(), changes); err != nil {
		r.t.Fatal(err)
	}
}

// countGone counts the keys of which the topic holds no record.
func (r *rig) countGone(entity string, keys map[string]string) int {
	r.t.Helper()
	stored := map[string]bool{}
	_, err := stream.NewTopics(r.raw, r.kafka, slog.New(slog.DiscardHandler)).ReadLog(r.t.Context(), entity, nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			stored[string(rec.Key)] = true
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	n := 0
	for key := range keys {
		if !stored[key] {
			n++
		}
	}
	return n
}

// ageBackup makes a backup, lets rows be deleted, and waits until compaction has
// removed tombstones.
func (r *rig) ageBackup(entity string, compact func()) {
	r.t.Helper()
	r.compactEagerly(entity)
	r.publish(300)
	r.once(r.sink(r.url, r.config(), nil))
	r.exec(backup)
	then := r.table()
	r.publish(300)
	asked := time.Now()
	machine.Until(r.t, "the topic to be compacted", func() bool {
		if r.countGone(entity, then) > 0 {
			return true
		}
		if time.Since(asked) > 200*time.Millisecond {
			compact()
			r.touch(entity)
			asked = time.Now()
		}
		return false
	})
}

func TestABackupOlderThanTheTopicKeepsDeletesConverges(t *testing.T) {
	t.Parallel()
	for claim, open := range map[string]func(*testing.T) ([]string, func()){
		"on Apache Kafka": func(t *testing.T) ([]string, func()) { return kafkatest.Real(t), func() {} },
		"on the fake one": func(t *testing.T) ([]string, func()) {
			fake := kafkatest.Cluster(t, kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "100"}))
			return fake.ListenAddrs(), fake.Compact
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			brokers, compact := open(t)
			r := newRig(t, brokers, "Sag")
			r.ageBackup("Sag", compact)
			r.restoredBeforeAStart()
			r.restoredUnderARunningSink()
		})
	}
}

func (r *rig) restoredBeforeAStart() {
	r.t.Helper()
	r.exec(restore)
	reg := prometheus.NewRegistry()
	r.once(r.sink(r.url, r.config(), reg))
	r.wantConverged()
	if got := sum(r.t, reg, "odastream_consumer_resets_total", "aged"); got != 1 {
		r.t.Errorf("topics looked through = %v, want 1", got)
	}
}

func (r *rig) restoredUnderARunningSink() {
	r.t.Helper()
	s := r.sink(r.url, r.config(), nil)
	apply.LookEvery(s, 100*time.Millisecond)
	stop := r.run(s)
	r.touch("Sag")
	r.awaitModel()
	r.execBeside(restore)
	r.awaitModel()
	if err := stop(); err != nil {
		r.t.Errorf("Run ended with %v", err)
	}
	r.wantConverged()
}

// wantConverged compares the cache with what was published; deleted rows are
// remembered and have their history.
func (r *rig) wantConverged() {
	r.t.Helper()
	if diff := r.differ(); diff != "" {
		r.t.Errorf("cache: %s", diff)
	}
	for what, query := range map[string]string{"rows are deleted and there": resurrected, "deleted rows have no history of it": untold} {
		if n := r.value(query); n != "0" {
			r.t.Errorf("%s %s", n, what)
		}
	}
}

func TestATopicIsComparedOnlyIfDeletesMayBeLost(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		age  string
		news int
		set  map[string]string
		want float64
	}{
		"an old offset":                                {"31 days", 1, nil, 1},
		"an offset younger than that":                  {"29 days", 1, nil, 0},
		"an old offset at the end: nothing came since": {"31 days", 0, nil, 0},
		"a topic that keeps deletes longer":            {"31 days", 1, map[string]string{"delete.retention.ms": "3456000000"}, 0},
		"a topic that keeps them for ever":             {"31 days", 1, map[string]string{"delete.retention.ms": "9223372036854775807"}, 0},
		"a topic that loses rows by age is not judged": {"31 days", 1, map[string]string{"cleanup.policy": "delete"}, 1},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kafkatest.Fake(t), "Sag")
			r.publish(100)
			r.once(r.sink(r.url, r.config(), nil))
			// A row that the topic does not hold.
			r.exec(`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 9999, '{"id":9999}', 1);
UPDATE sink_offsets SET updated_at = now() - interval '` + c.age + `'`)
			for name, value := range c.set {
				if _, err := r.adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, r.kafka.Topic("Sag")); err != nil {
					t.Fatal(err)
				}
			}
			r.publish(c.news * 50)
			reg := prometheus.NewRegistry()
			r.once(r.sink(r.url, r.config(), reg))
			if got := sum(t, reg, "odastream_consumer_resets_total", "aged"); got != c.want {
				t.Errorf("topics looked through = %v, want %v", got, c.want)
			}
			want := map[bool]string{true: "0", false: "1"}[c.want == 1 && c.set == nil]
			if got := r.value(`SELECT count(*) FROM parliamentary_data WHERE entity_id = 9999`); got != want {
				t.Errorf("rows that the topic does not hold = %s, want %s", got, want)
			}
			r.exec(`DELETE FROM parliamentary_data WHERE entity_id = 9999`)
			if diff := r.differ(); diff != "" {
				t.Errorf("cache: %s", diff)
			}
		})
	}
}
