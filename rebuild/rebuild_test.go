package rebuild_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/cache"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/stand"
	"odastream/rebuild"
	"odastream/schema"
	"odastream/stream"
)

func run(t *testing.T, r *stand.Copy, dry bool) (rebuild.Report, error) {
	t.Helper()
	b := rebuild.Rebuilder{Topics: r.Topics, Kafka: r.Kafka, Store: r.Store}
	return b.Rebuild(t.Context(), r.Entity, dry)
}

func mustRun(t *testing.T, r *stand.Copy, dry bool) rebuild.Report {
	t.Helper()
	report, err := run(t, r, dry)
	if err != nil {
		t.Fatalf("Rebuild: %v", err)
	}
	return report
}

func TestRebuildMendsEachKindOfDamageAndADryRunNone(t *testing.T) {
	t.Parallel()
	r := stand.NewCopy(t, kafkatest.Fake(t), "Sag")
	r.Load(t, 20, 10)
	r.Publish(t, r.Change(7, schema.Delete, 0))
	r.Once(t)
	if got := mustRun(t, r, false); got.Damage() != 0 || got.InTopic != 19 || got.Records != 22 || got.InCache != 19 {
		t.Errorf("rebuild of a whole cache = %+v, want 19 rows of 22 records and no damage", got)
	}
	r.Exec(t, `UPDATE parliamentary_data SET data = '{}' WHERE entity_id = 3; DELETE FROM parliamentary_data WHERE entity_id BETWEEN 8 AND 19;
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 99, '{}', 9223372036854775807);
DELETE FROM parliamentary_deleted`)
	damaged := r.Value(t, stand.Rows)
	for _, dry := range []bool{true, false} {
		got := mustRun(t, r, dry)
		if n := []int{got.Missing.Count, len(got.Missing.IDs), got.Different.Count, got.Extra.Count, got.Undeleted.Count}; !cmp.Equal(n, []int{12, 10, 1, 1, 1}) {
			t.Errorf("missing, of these named, different, extra, undeleted = %v, want 12 10 1 1 1", n)
		}
		if want := map[bool]int{true: 0, false: 15}[dry]; got.Mended != want {
			t.Errorf("mended (dry run %v) = %d, want %d", dry, got.Mended, want)
		}
		if dry {
			r.Want(t, stand.Rows, damaged)
		}
	}
	if got := mustRun(t, r, true); got.Damage() != 0 {
		t.Errorf("after it was mended: %+v, want no damage", got)
	}
}

func TestRebuildLeavesPendingRowsToTheSink(t *testing.T) {
	t.Parallel()
	r := stand.NewCopy(t, kafkatest.Fake(t), "Sag")
	r.Load(t, 10, 10)
	r.Publish(t, r.Change(1, schema.Update, 10), r.Change(50, schema.Create, 10), r.Change(2, schema.Delete, 0))
	before := r.Value(t, stand.Rows)
	if got := mustRun(t, r, false); got.Pending != 3 || got.Damage() != 0 {
		t.Errorf("rebuild = %+v, want 3 pending and no damage", got)
	}
	if got := r.Value(t, stand.Rows); got != before {
		t.Errorf("rows:\n%s\nwant\n%s", got, before)
	}
	r.Once(t)
	if got := r.Value(t, `SELECT string_agg(action, ' ' ORDER BY seq) FROM parliamentary_history`); got != "update create delete" {
		t.Errorf("history = %q, want that of all three changes", got)
	}
}

func TestRebuildRefusesTopicsThatItCannotCompare(t *testing.T) {
	t.Parallel()
	r := stand.NewCopy(t, kafkatest.Fake(t), "Sag")
	if _, err := run(t, r, false); !errors.Is(err, cache.ErrNotApplied) {
		t.Errorf("rebuild of what was never applied = %v, want %v", err, cache.ErrNotApplied)
	}
	r.Load(t, 5, 10)
	b := rebuild.Rebuilder{Topics: r.Topics, Kafka: r.Kafka, Store: r.Store}
	if _, err := b.Rebuild(t.Context(), "Dokument", false); !errors.Is(err, stream.ErrNoTopic) {
		t.Errorf("rebuild without a topic = %v, want %v", err, stream.ErrNoTopic)
	}
	_, err := kadm.NewClient(r.Client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: new("delete")}}, r.Kafka.Topic("Sag"))
	if err != nil {
		t.Fatal(err)
	}
	r.Exec(t, `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 99, '{}', 1)`)
	if _, err := run(t, r, false); !errors.Is(err, stream.ErrNotCompacted) {
		t.Errorf("rebuild from a topic that loses rows by age = %v, want %v", err, stream.ErrNotCompacted)
	}
	if _, err := b.DeleteAbsent(t.Context(), "Sag"); !errors.Is(err, stream.ErrNotCompacted) {
		t.Errorf("DeleteAbsent by a topic that loses rows by age = %v, want %v", err, stream.ErrNotCompacted)
	}
	r.Want(t, `SELECT count(*) FROM parliamentary_data`, "6")
}

func TestARowThatPostgresRefusesDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	r := stand.NewCopy(t, kafkatest.Fake(t), "Sag")
	r.Load(t, 9, 10)
	r.Exec(t, `DELETE FROM parliamentary_data; ALTER TABLE parliamentary_data ADD CONSTRAINT no_four CHECK (entity_id <> 4)`)
	if got := mustRun(t, r, false); got.Missing.Count != 9 || got.Mended != 8 || !cmp.Equal(got.Refused.IDs, []int64{4}) {
		t.Errorf("rebuild = %+v, want 9 missing, 8 mended, 4 refused", got)
	}
	r.Want(t, `SELECT string_agg(entity_id::text, ' ' ORDER BY entity_id) FROM parliamentary_data`, "1 2 3 5 6 7 8 9")
}

// rebuildRows is the number of rows of the large test: $ODASTREAM_REBUILD_ROWS, such as
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

	wrongRows = `SELECT count(*) FROM was FULL JOIN parliamentary_data p USING (entity_id)
WHERE abs(entity_id) % 10 <> 5 AND (was.seq, was.data, was.opdateringsdato) IS DISTINCT FROM (p.seq, p.data, p.opdateringsdato)`

	needlesslyWritten = `SELECT count(*) FROM was JOIN parliamentary_data p USING (entity_id)
WHERE entity_id % 10 <> 5 AND entity_id % 100 NOT IN (1, 2) AND (was.version <> p.xmin::text OR was.updated_at <> p.updated_at)`
)

func TestRebuildMendsExactlyTheDamageWhileTheSinkRuns(t *testing.T) {
	t.Parallel()
	n := rebuildRows(t)
	r := stand.NewCopy(t, kafkatest.Real(t), "Stemme")
	r.Load(t, n, 600)
	t.Logf("%d rows are in the cache", n)
	r.Exec(t, damageDone)
	t.Log("and damaged")

	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- r.Sink().Run(ctx) }()
	live := publishOn(t, ctx, r, n)
	peak, began := memoryPeak(), time.Now()
	report, err := run(t, r, false)
	took, memory := time.Since(began), peak()
	cancel()
	if err := <-stopped; err != nil {
		t.Errorf("sink: %v", err)
	}
	alive := <-live
	r.Once(t)

	if err != nil {
		t.Fatalf("Rebuild: %v", err)
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
	for what, query := range map[string]string{"rows are not as before": wrongRows, "rows that were right were written": needlesslyWritten} {
		if got := r.Value(t, query); got != "0" {
			t.Errorf("%s %s", got, what)
		}
	}
	if diff := cmp.Diff(alive.model, seqsSince(t, r)); diff != "" {
		t.Errorf("rows that changed meanwhile (-want +got):\n%s", diff)
	}
	if got := r.Value(t, `SELECT count(*) FROM parliamentary_history`); got != strconv.Itoa(alive.changes) {
		t.Errorf("history has %s entries, want one for each of the %d changes", got, alive.changes)
	}
	if again := mustRun(t, r, true); again.Damage() != 0 {
		t.Errorf("after it was mended: %+v, want no damage", again)
	}
}

// mostMemory is what rebuild, sink and publisher may need together, in MiB.
const mostMemory = 400

// memoryPeak returns a function that returns the process's peak memory since this call,
// in MiB; 0 where the system does not tell.
func memoryPeak() func() int {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // exists only on Linux
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
	model   map[int64]int64 // id → seq, of changed rows that exist
}

// publishOn changes, creates and deletes rows, a thousand a second, until ctx ends.
func publishOn(t *testing.T, ctx context.Context, r *stand.Copy, n int) <-chan alive {
	done, pub := make(chan alive, 1), r.Publisher
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
				c := r.Change(id, action, 600)
				if there[id] = action != schema.Delete; there[id] {
					a.model[id] = c.Seq
				} else {
					delete(a.model, id)
				}
				batch = append(batch, c)
			}
			if _, err := pub.Publish(context.WithoutCancel(ctx), batch); err != nil {
				t.Errorf("publish: %v", err)
				break
			}
			a.changes += len(batch)
		}
		done <- a
	}()
	return done
}

// seqsSince returns the seq of each row that has changed since the load.
func seqsSince(t *testing.T, r *stand.Copy) map[int64]int64 {
	t.Helper()
	rows, err := r.Pool.Query(t.Context(), `SELECT p.entity_id, p.seq FROM parliamentary_data p LEFT JOIN was USING (entity_id) WHERE p.seq IS DISTINCT FROM was.seq`)
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
