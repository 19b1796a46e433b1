package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/apply"
	"odastream/internal/console"
	"odastream/internal/test/kafkatest"
	"odastream/rebuild"
	"odastream/schema"
	"odastream/stream"
)

// copyRig is a topic, a cache and a sink between them.
type copyRig struct {
	stand
	entity string
	pub    *stream.Publisher
	admin  *kadm.Client
	group  string
	seq    int64
}

func newCopyRig(t *testing.T, brokers []string, entity string) *copyRig {
	t.Helper()
	prefix := kafkatest.Prefix(t)
	r := &copyRig{entity: entity, group: prefix + "sink", seq: 1_795_445_400_000_000}
	r.stand = newStand(t, stream.Config{Brokers: brokers, TopicPrefix: prefix, Partitions: 3}, r.group, entity)
	r.pub, r.admin = r.publisher(t), kadm.NewClient(r.cl)
	return r
}

func (r *copyRig) environ() []string {
	return []string{
		"DATABASE_URL=" + r.url, "KAFKA_BROKERS=" + strings.Join(r.kafka.Brokers, ","),
		"KAFKA_TOPIC_PREFIX=" + r.kafka.TopicPrefix, "SINK_GROUP=" + r.group,
	}
}

func (r *copyRig) change(id int64, action schema.Action, size int) schema.Change {
	r.seq++
	c := schema.Change{Entity: r.entity, ID: id, Action: action, Seq: r.seq, Timestamp: time.UnixMicro(r.seq), Origin: schema.OriginTail, Opdateringsdato: "2026-11-23T16:09:58.347"}
	if action != schema.Delete {
		c.Data = fmt.Appendf(nil, `{"id":%d,"typeid":%d,"fill":%q,"opdateringsdato":"2026-11-23T16:09:58.347"}`, id, r.seq, filler(r.seq, size))
	}
	return c
}

// filler is text that compresses about as real rows do.
func filler(seed int64, size int) string {
	random, text := rand.New(rand.NewPCG(uint64(seed), 7)), make([]byte, size)
	for i := range text {
		text[i] = "abcdeghi"[random.IntN(8)]
	}
	return string(text)
}

func (r *copyRig) publish(t *testing.T, changes ...schema.Change) {
	t.Helper()
	if _, err := r.pub.Publish(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
}

// load publishes rows 1 to n and has the sink apply them.
func (r *copyRig) load(t *testing.T, n, size int) {
	t.Helper()
	var changes []schema.Change
	for id := range int64(n) {
		if changes = append(changes, r.change(id+1, schema.Snapshot, size)); len(changes) == 5000 {
			r.publish(t, changes...)
			changes = changes[:0]
		}
	}
	r.publish(t, changes...)
	r.once(t)
}

func (r *copyRig) sink() *apply.Sink {
	log := slog.New(slog.DiscardHandler)
	parts := apply.Parts{Store: r.store, DeadLetters: apply.Letters{Publisher: r.pub, Topics: r.topics, Kafka: r.kafka}}
	return apply.New(apply.Config{Group: r.group, BatchRows: 5000, BatchBytes: 16 << 20, Linger: 20 * time.Millisecond}, r.kafka, parts, log, nil)
}

func (r *copyRig) once(t *testing.T) {
	t.Helper()
	if err := r.sink().Once(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (r *copyRig) rebuild(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out, said bytes.Buffer
	status := Run(t.Context(), append([]string{"rebuild", r.entity}, args...), r.environ(), &out, &said)
	if out.Len() == 0 {
		return status, said.String()
	}
	return status, out.String()
}

func TestRebuildSaysWhatIsWrongAndMendsIt(t *testing.T) {
	t.Parallel()
	r := newCopyRig(t, kafkatest.Fake(t), "Sag")
	r.load(t, 20, 10)
	r.publish(t, r.change(7, schema.Delete, 0))
	r.once(t)
	status, out := r.rebuild(t)
	want(t, status, out, 0, "has 19 rows (22 records read), the cache had 19", "no difference")

	r.exec(t, `UPDATE parliamentary_data SET data = '{}' WHERE entity_id = 3; DELETE FROM parliamentary_data WHERE entity_id BETWEEN 8 AND 19;
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 99, '{}', 9223372036854775807);
DELETE FROM parliamentary_deleted`)
	damaged := r.value(t, rowsNow)
	status, out = r.rebuild(t, "--dry-run")
	want(t, status, out, 1, "the cache had 8", "12 missing from the cache: Sag/8, Sag/9, Sag/10, Sag/11, Sag/12, Sag/13, Sag/14, Sag/15, Sag/16, Sag/17, and 2 more",
		"1 not as the topic has them: Sag/3", "1 not in the topic: Sag/99", "1 deletes not remembered: Sag/7", "15 differences; nothing was changed (--dry-run)")
	if got := r.value(t, rowsNow); got != damaged {
		t.Errorf("a dry run changed the cache:\n%s\nwas\n%s", got, damaged)
	}
	status, out = r.rebuild(t, "--json")
	var report rebuild.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if status != 0 || report.Mended != 15 || report.Missing.Count != 12 {
		t.Errorf("rebuild --json = %d, %+v, want 15 mended", status, report)
	}
	status, out = r.rebuild(t, "--dry-run")
	want(t, status, out, 0, "no difference")
}

func TestRebuildLeavesToTheSinkWhatItHasNotApplied(t *testing.T) {
	t.Parallel()
	r := newCopyRig(t, kafkatest.Fake(t), "Sag")
	r.load(t, 10, 10)
	r.publish(t, r.change(1, schema.Update, 10), r.change(50, schema.Create, 10), r.change(2, schema.Delete, 0))
	before := r.value(t, rowsNow)
	status, out := r.rebuild(t)
	want(t, status, out, 0, "3 rows have changes that the sink has not applied yet: they are left to it", "no difference")
	if got := r.value(t, rowsNow); got != before {
		t.Errorf("rows:\n%s\nwant\n%s", got, before)
	}
	r.once(t)
	if got := r.value(t, `SELECT string_agg(action, ' ' ORDER BY seq) FROM parliamentary_history`); got != "update create delete" {
		t.Errorf("history = %q, want that of all three changes", got)
	}
}

func TestRebuildRefusesWhatItCannotJudge(t *testing.T) {
	t.Parallel()
	r := newCopyRig(t, kafkatest.Fake(t), "Sag")
	status, out := r.rebuild(t)
	want(t, status, out, 1, "nothing of this topic is applied yet", "SINK_GROUP")
	r.load(t, 5, 10)

	r.exec(t, `INSERT INTO poller_watermarks (entity_type, watermark, seq) VALUES ('Sag', now(), 5)`)
	status, out = r.rebuild(t)
	want(t, status, out, 1, "the first load of Sag is not complete")
	r.exec(t, `UPDATE poller_watermarks SET loaded_at = now()`)

	var usage bytes.Buffer
	status = Run(t.Context(), []string{"rebuild", "Sga"}, r.environ(), &usage, &usage)
	want(t, status, usage.String(), 2, `unknown entity "Sga"`)
	status = Run(t.Context(), []string{"rebuild", "Dokument"}, r.environ(), &usage, &usage)
	want(t, status, usage.String(), 1, "topic does not exist")

	_, err := r.admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: new("delete")}}, r.kafka.Topic("Sag"))
	if err != nil {
		t.Fatal(err)
	}
	r.exec(t, `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 99, '{}', 1)`)
	status, out = r.rebuild(t)
	want(t, status, out, 1, "does not keep the newest record of every key", "cleanup.policy")
	if got := r.value(t, `SELECT count(*) FROM parliamentary_data`); got != "6" {
		t.Errorf("%s rows, want all 6", got)
	}
}

func TestARowThatPostgresRefusesDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	r := newCopyRig(t, kafkatest.Fake(t), "Sag")
	r.load(t, 9, 10)
	r.exec(t, `DELETE FROM parliamentary_data; ALTER TABLE parliamentary_data ADD CONSTRAINT no_four CHECK (entity_id <> 4)`)
	status, out := r.rebuild(t)
	want(t, status, out, 1, "9 missing", "1 refused by Postgres: see odastream dlq list: Sag/4", "9 differences, 8 mended")
	if got := r.value(t, `SELECT string_agg(entity_id::text, ' ' ORDER BY entity_id) FROM parliamentary_data`); got != "1 2 3 5 6 7 8 9" {
		t.Errorf("rows %s", got)
	}
}

// rebuildRows is how many rows the large test has: $ODASTREAM_REBUILD_ROWS, such as
// 1000000, or a number that takes seconds.
func rebuildRows(t *testing.T) int {
	t.Helper()
	text := os.Getenv("ODASTREAM_REBUILD_ROWS")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const (
	// The model of the damage: 1 % of the rows are changed, some of them with a seq
	// that no change ever reaches, 1 % are removed, 1 % are added. Rows with a last
	// digit of 5 change while the rebuild runs.
	damageDone = `
CREATE TABLE was AS SELECT entity_id, seq, data, opdateringsdato, created_at, updated_at, xmin::text AS version FROM parliamentary_data;
UPDATE parliamentary_data SET data = data || '{"typeid":"forged"}' WHERE entity_id % 100 = 1;
UPDATE parliamentary_data SET seq = 9223372036854775807 WHERE entity_id % 1000 = 1;
DELETE FROM parliamentary_data WHERE entity_id % 100 = 2;
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Stemme', -entity_id, '{"id":0}', CASE WHEN entity_id % 1000 = 3 THEN 9223372036854775807 ELSE 1 END FROM was WHERE entity_id % 100 = 3`

	wronglyHeld = `SELECT count(*) FROM was FULL JOIN parliamentary_data p USING (entity_id)
WHERE abs(entity_id) % 10 <> 5 AND (was.seq, was.data, was.opdateringsdato) IS DISTINCT FROM (p.seq, p.data, p.opdateringsdato)`

	needlesslyWritten = `SELECT count(*) FROM was JOIN parliamentary_data p USING (entity_id)
WHERE entity_id % 10 <> 5 AND entity_id % 100 NOT IN (1, 2) AND (was.version <> p.xmin::text OR was.updated_at <> p.updated_at)`
)

func TestRebuildMendsExactlyTheDamageWhileTheSinkRuns(t *testing.T) {
	t.Parallel()
	n := rebuildRows(t)
	r := newCopyRig(t, kafkatest.Real(t), "Stemme")
	r.load(t, n, 600)
	t.Logf("%d rows are in the cache", n)
	r.exec(t, damageDone)
	t.Log("and damaged")

	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- r.sink().Run(ctx) }()
	live := r.publishOn(t, ctx, n)
	peak, began := memoryPeak(), time.Now()
	status, out := r.rebuild(t, "--json")
	took, memory := time.Since(began), peak()
	cancel()
	if err := <-stopped; err != nil {
		t.Errorf("sink: %v", err)
	}
	alive := <-live
	r.once(t)

	var report rebuild.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != 0 {
		t.Fatalf("rebuild = %d, %v:\n%s", status, err, out)
	}
	t.Logf("%d rows, %d changes meanwhile: rebuilt in %s, %d mended, %d pending; up to %d MiB, of poller's part and sink as well", n, alive.changes, took.Round(time.Millisecond), report.Mended, report.Pending, memory)
	if memory > mostMemory {
		t.Errorf("the process had up to %d MiB, want at most %d however many rows there are", memory, mostMemory)
	}
	got := []int{report.Different.Count, report.Missing.Count, report.Extra.Count, report.Undeleted.Count, report.Mended}
	if diff := cmp.Diff([]int{n / 100, n / 100, n / 100, 0, n / 100 * 3}, got); diff != "" {
		t.Errorf("different, missing, extra, undeleted, mended (-want +got):\n%s", diff)
	}
	if alive.changes == 0 {
		t.Error("nothing was published meanwhile")
	}
	for what, query := range map[string]string{"rows are not as before": wronglyHeld, "rows that were right were written": needlesslyWritten} {
		if got := r.value(t, query); got != "0" {
			t.Errorf("%s %s", got, what)
		}
	}
	if diff := cmp.Diff(alive.model, r.held(t)); diff != "" {
		t.Errorf("rows that changed meanwhile (-want +got):\n%s", diff)
	}
	if got := r.value(t, `SELECT count(*) FROM parliamentary_history`); got != strconv.Itoa(alive.changes) {
		t.Errorf("history has %s entries, want one for each of the %d changes", got, alive.changes)
	}
	status, out = r.rebuild(t, "--dry-run")
	want(t, status, out, 0, "no difference")
}

// mostMemory is what rebuild, sink and publisher may need together, in MiB.
const mostMemory = 400

// memoryPeak gives what tells how much memory the process has had since, at most,
// in MiB; 0 where the system does not tell.
func memoryPeak() func() int {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // it is Linux's alone
	return func() int {
		text, _ := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(text)) {
			if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")))
				return n / 1024
			}
		}
		return 0
	}
}

// alive is what was published while a rebuild ran.
type alive struct {
	changes int
	model   map[int64]int64 // id → seq, of rows that changed and are there
}

// publishOn changes, makes and deletes rows, a thousand a second, until ctx ends.
func (r *copyRig) publishOn(t *testing.T, ctx context.Context, n int) <-chan alive {
	done := make(chan alive, 1)
	go func() {
		a, random := alive{model: map[int64]int64{}}, rand.New(rand.NewPCG(3, 4))
		there, tick := map[int64]bool{}, time.NewTicker(20*time.Millisecond)
		defer tick.Stop()
		for ; ctx.Err() == nil; <-tick.C {
			var batch []schema.Change
			for range 20 {
				id := random.Int64N(int64(n)/5)*10 + 5 // half of them are new rows
				is, known := there[id]
				is = is || !known && id <= int64(n)
				action := schema.Update
				switch {
				case !is:
					action = schema.Create
				case random.IntN(4) == 0:
					action = schema.Delete
				}
				c := r.change(id, action, 600)
				if there[id] = action != schema.Delete; there[id] {
					a.model[id] = c.Seq
				} else {
					delete(a.model, id)
				}
				batch = append(batch, c)
			}
			if _, err := r.pub.Publish(context.WithoutCancel(ctx), batch); err != nil {
				t.Errorf("publish: %v", err)
				break
			}
			a.changes += len(batch)
		}
		done <- a
	}()
	return done
}

// held is the seq of each row that has changed since the load.
func (r *copyRig) held(t *testing.T) map[int64]int64 {
	t.Helper()
	rows, err := r.pool.Query(t.Context(), `SELECT p.entity_id, p.seq FROM parliamentary_data p LEFT JOIN was USING (entity_id) WHERE p.seq IS DISTINCT FROM was.seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	got := map[int64]int64{}
	for rows.Next() {
		var id, seq int64
		if err := rows.Scan(&id, &seq); err != nil {
			t.Fatal(err)
		}
		got[id] = seq
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRebuildTellsHowLongItWillTake(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var log bytes.Buffer
	p := rebuildProgress{line: console.NewProgress(&log, slog.New(slog.DiscardHandler)), entity: "Sag", now: func() time.Time { return now }}
	p.set(rebuild.Progress{All: 400})
	now = now.Add(10 * time.Second)
	if got, want := p.text(rebuild.Progress{Done: 100, All: 400}), "Sag: reading the topic, 100 of 400 offsets, about 30s left"; got != want {
		t.Errorf("after 10 s: %q, want %q", got, want)
	}
	p.set(rebuild.Progress{Comparing: true, Done: 0, All: 50})
	now = now.Add(5 * time.Second)
	if got, want := p.text(rebuild.Progress{Comparing: true, Done: 25, All: 50}), "Sag: comparing, 25 of 50 rows, about 5s left"; got != want {
		t.Errorf("5 s into the comparing: %q, want %q", got, want)
	}
}
