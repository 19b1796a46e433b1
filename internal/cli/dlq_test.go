package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/internal/test/kafkatest"
	"odastream/schema"
	"odastream/stream"
)

// morgue is a stand with dead letters.
type morgue struct {
	stand
	letters *stream.Publisher
}

func newMorgue(t testing.TB) *morgue {
	t.Helper()
	m := &morgue{stand: newStand(t, stream.Config{Brokers: kafkatest.Fake(t), TopicPrefix: "parliament-", Partitions: 1}, "parliament-sink", "Sag")}
	m.letters = m.publisher(t)
	return m
}

func (m *morgue) environ() []string {
	return []string{"DATABASE_URL=" + m.url, "KAFKA_BROKERS=" + strings.Join(m.kafka.Brokers, ",")}
}

// dlq runs a command about dead letters and gives its exit status and output.
func (m *morgue) dlq(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	status := Run(t.Context(), append([]string{"dlq"}, args...), m.environ(), &out, &out)
	return status, out.String()
}

func changeOf(id, seq int64, data string) schema.Change {
	return schema.Change{Entity: "Sag", ID: id, Action: schema.Update, Seq: seq, Timestamp: time.UnixMicro(seq), Origin: schema.OriginTail, Data: []byte(data)}
}

// bury dead-letters a change as the sink does: to the topic, then to the table.
func (m *morgue) bury(t testing.TB, offset int64, c schema.Change, class stream.Class, state string) {
	t.Helper()
	key := schema.Key(c.Entity, c.ID)
	m.buryRecord(t, offset, &kgo.Record{
		Topic: "parliament-sag", Offset: offset, Key: []byte(key), Value: c.AppendJSON(nil),
		Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte(c.EventID())}},
	}, class, state)
}

var buried = time.Now().Add(-73 * time.Hour).Truncate(time.Microsecond)

func (m *morgue) buryRecord(t testing.TB, offset int64, rec *kgo.Record, class stream.Class, state string) {
	t.Helper()
	err := m.letters.DeadLetter(t.Context(), stream.DeadLetter{
		Record: rec, HasOffset: true, Group: "parliament-sink", Class: class, Err: "apply: refused", SQLState: state, Attempts: 1, FailedAt: buried,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.apply(t, cache.Batch{DeadLetters: []cache.DeadLetter{{
		TopicPartition: cache.TopicPartition{Topic: rec.Topic}, Offset: offset, Key: string(rec.Key), Class: string(class), SQLState: state,
		Error: "apply: refused", FailedAt: buried, Seq: stream.EventSeq(rec),
	}}})
	if _, err := m.pool.Exec(t.Context(), `UPDATE dead_letters SET changed_at = failed_at WHERE "offset" = $1`, offset); err != nil {
		t.Fatal(err)
	}
}

// hold puts a row into the cache.
func (m *morgue) hold(t testing.TB, c schema.Change) {
	t.Helper()
	m.apply(t, cache.Batch{Records: []cache.Record{{TopicPartition: cache.TopicPartition{Topic: "parliament-sag"}, Change: c}}})
}

const (
	rowsNow   = `SELECT string_agg(entity_id || ' ' || seq || ' ' || data::text, ', ' ORDER BY entity_id) FROM parliamentary_data`
	statesNow = `SELECT string_agg("offset" || ' ' || state, ', ' ORDER BY "offset") FROM dead_letters`
	forbid    = `ALTER TABLE parliamentary_data ADD CONSTRAINT no_bad CHECK (NOT data ? 'bad')`
)

// want compares an exit status and what the output must have.
func want(t *testing.T, status int, out string, wantStatus int, parts ...string) {
	t.Helper()
	if status != wantStatus {
		t.Errorf("exit status %d, want %d:\n%s", status, wantStatus, out)
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("output lacks %q:\n%s", part, out)
		}
	}
}

// Invariant 3: a retried record never regresses a row, whether or not the table
// knows its seq.
func TestRetryOfAnOldRecordOverANewerRowChangesNothing(t *testing.T) {
	t.Parallel()
	m := newMorgue(t)
	m.bury(t, 4, changeOf(1, 10, `{"v":1}`), stream.ClassData, "23514")
	m.bury(t, 5, changeOf(2, 10, `{"v":1}`), stream.ClassData, "23514")
	m.hold(t, changeOf(1, 11, `{"v": 2}`))
	m.hold(t, changeOf(2, 11, `{"v": 2}`))
	m.exec(t, `UPDATE dead_letters SET seq = NULL WHERE "offset" = 5`)
	const rows = `1 11 {"v": 2}, 2 11 {"v": 2}`

	status, out := m.dlq(t, "retry", "--dry-run")
	want(t, status, out, 0, "nothing is changed; of 1 dead letters", "parliament-sag/0@5  Sag:2  would be retried")
	m.holds(t, statesNow, "4 open, 5 open")
	status, out = m.dlq(t, "retry")
	want(t, status, out, 0, "parliament-sag/0@5  Sag:2  superseded", "0 retried, 1 superseded, 0 stay open")
	m.holds(t, rowsNow, rows)
	m.holds(t, statesNow, "4 superseded, 5 superseded")
	status, out = m.dlq(t, "retry", "--letter", "parliament-sag/0@4")
	want(t, status, out, 1, "parliament-sag/0@4 is superseded: only an open one")
	status, out = m.dlq(t, "retry", "--letter", "parliament-sag/0@9")
	want(t, status, out, 1, "there is no dead letter parliament-sag/0@9")
}

func TestRetryAfterTheCauseWasMendedApplies(t *testing.T) {
	t.Parallel()
	m := newMorgue(t)
	m.exec(t, forbid)
	m.bury(t, 4, changeOf(1, 10, `{"bad":1}`), stream.ClassData, "23000")
	m.bury(t, 4, changeOf(1, 10, `{"bad":1}`), stream.ClassData, "23000") // at least once
	m.bury(t, 5, schema.Change{Entity: "Sag", ID: 2, Action: schema.Delete, Seq: 10, Timestamp: buried, Origin: schema.OriginScan}, stream.ClassData, "23000")
	m.hold(t, changeOf(2, 9, `{}`))

	status, out := m.dlq(t, "retry", "--key", "Sag:1")
	want(t, status, out, 1, "Sag:1  failed: apply 1 records:", "0 retried, 0 superseded, 1 stay open")
	m.holds(t, `SELECT state || ' ' || sqlstate || ' ' || (error ~ 'no_bad') || ' ' || (changed_at > failed_at) FROM dead_letters WHERE "offset" = 4`, "open 23514 true true")
	m.exec(t, `ALTER TABLE parliamentary_data DROP CONSTRAINT no_bad`)
	status, out = m.dlq(t, "retry", "--json", "--since", "96h", "--class", "data", "--rate", "0")
	want(t, status, out, 0, `{"letter":"parliament-sag/0@4","key":"Sag:1","outcome":"retried"}`)
	if n := strings.Count(out, "Sag:1"); n != 1 {
		t.Errorf("one letter was retried %d times:\n%s", n, out)
	}
	m.holds(t, rowsNow, `1 10 {"bad": 1}`)
	m.holds(t, `SELECT entity_id || ' ' || seq FROM parliamentary_deleted`, "2 10")
	m.holds(t, statesNow, "4 retried, 5 retried")
	m.holds(t, `SELECT bool_and(changed_at > failed_at + interval '1 hour') FROM dead_letters`, "true")
	m.holds(t, `SELECT count(*) FROM sink_offsets`, "0") // no offset moves
	status, out = m.dlq(t, "retry")
	want(t, status, out, 0, "applying 0 dead letters")
}

func TestCanaryStopsAtTheFirstFailure(t *testing.T) {
	t.Parallel()
	m := newMorgue(t)
	m.exec(t, forbid)
	m.bury(t, 1, changeOf(1, 10, `{}`), stream.ClassData, "23514")
	m.bury(t, 2, changeOf(2, 10, `{"bad":1}`), stream.ClassData, "23514")
	m.bury(t, 3, changeOf(3, 10, `{}`), stream.ClassData, "23514")
	status, out := m.dlq(t, "retry", "--canary", "2")
	want(t, status, out, 1, "Sag:2  failed", "the others were left alone")
	m.holds(t, statesNow, "1 retried, 2 open, 3 open")
	m.holds(t, rowsNow, "1 10 {}")

	m.bury(t, 4, changeOf(4, 10, `{}`), stream.ClassData, "23514")
	m.exec(t, `UPDATE dead_letters SET state = 'discarded' WHERE "offset" = 3`)
	m.bury(t, 5, changeOf(5, 10, `{"bad":1}`), stream.ClassData, "23514")
	m.exec(t, `UPDATE dead_letters SET state = 'discarded' WHERE "offset" = 2`)
	m.bury(t, 6, changeOf(6, 10, `{}`), stream.ClassData, "23514")
	status, out = m.dlq(t, "retry", "--canary", "1")
	want(t, status, out, 1, "2 retried, 0 superseded, 1 stay open")
	m.holds(t, statesNow, "1 retried, 2 discarded, 3 discarded, 4 retried, 5 open, 6 retried")
}

func TestWhatCannotBeRetriedStaysOpen(t *testing.T) {
	t.Parallel()
	m := newMorgue(t)
	m.buryRecord(t, 1, &kgo.Record{Topic: "parliament-sag", Offset: 1, Key: []byte("Sag:1"), Value: []byte("no JSON")}, stream.ClassData, "")
	m.buryRecord(t, 2, &kgo.Record{
		Topic: "parliament-sag", Offset: 2, Key: []byte("Sag:2"), Value: bytes.Repeat([]byte(" "), 1<<17),
	}, stream.ClassTooLarge, "")
	m.bury(t, 3, changeOf(3, 10, `{}`), stream.ClassData, "")
	m.exec(t, `UPDATE dead_letters SET key = 'Sag:33' WHERE "offset" = 3`) // the topic was made anew since
	status, out := m.dlq(t, "retry")
	want(t, status, out, 1, "Sag:1  failed: decode record (decode)", "Sag:2  cut: only 65536 of its 131072 bytes were kept",
		"Sag:33  missing: the topic parliament-sag.dlq does not hold", "3 stay open")
	m.holds(t, statesNow, "1 open, 2 open, 3 open")
	m.holds(t, `SELECT class FROM dead_letters WHERE "offset" = 1`, "decode")
	m.holds(t, rowsNow, "")
}

// Invariant 6: an outage is not a bad record.
func TestOutageEndsARetryAndBlamesNoRecord(t *testing.T) {
	t.Parallel()
	m := newMorgue(t)
	m.bury(t, 1, changeOf(1, 10, `{}`), stream.ClassData, "22P05")
	m.exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION SQLSTATE '53100'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON parliamentary_data FOR EACH ROW EXECUTE FUNCTION refuse()`)
	status, out := m.dlq(t, "retry")
	want(t, status, out, 1, "53100")
	m.holds(t, `SELECT state || ' ' || sqlstate || ' ' || error FROM dead_letters`, "open 22P05 apply: refused")
}

func TestDiscardLeavesTheReceipt(t *testing.T) {
	t.Parallel()
	m := newMorgue(t)
	for i := range int64(3) {
		m.bury(t, i, changeOf(i, 10, `{}`), stream.ClassData, "22P05")
	}
	status, out := m.dlq(t, "discard", "--yes")
	want(t, status, out, 2, "say which")
	status, out = m.dlq(t, "discard", "--letter", "parliament-sag/0@1")
	want(t, status, out, 2, "to discard: parliament-sag/0@1  Sag:1  data", "nothing was discarded: --yes does it")
	status, out = m.dlq(t, "discard", "--topic", "parliament-sag", "--yes", "--dry-run")
	want(t, status, out, 0, "3 dead letters would be discarded")
	m.holds(t, statesNow, "0 open, 1 open, 2 open")

	status, out = m.dlq(t, "discard", "--letter", "parliament-sag/0@1", "--yes")
	want(t, status, out, 0, "discarded at 20", "parliament-sag/0@1  Sag:1  seq 10  data 22P05: apply: refused")
	m.holds(t, statesNow, "0 open, 1 discarded, 2 open")
	m.holds(t, `SELECT changed_at > failed_at + interval '1 hour' FROM dead_letters WHERE "offset" = 1`, "true")
	m.hold(t, changeOf(2, 11, `{}`))
	status, out = m.dlq(t, "discard", "--since", "2026-01-01T00:00:00Z", "--yes", "--json")
	want(t, status, out, 0, `{"letter":"parliament-sag/0@0","key":"Sag:0","class":"data","sqlstate":"22P05","state":"discarded","seq":10,`, "parliament-sag/0@2")
	m.holds(t, statesNow, "0 discarded, 1 discarded, 2 discarded")
	status, out = m.dlq(t, "retry", "--letter", "parliament-sag/0@1")
	want(t, status, out, 1, "is discarded")
}

func TestShow(t *testing.T) {
	t.Parallel()
	m := newMorgue(t)
	m.bury(t, 1, changeOf(1, 10, `{"titel":"<b>"}`), stream.ClassData, "23514")
	m.hold(t, changeOf(1, 9, `{}`))
	m.buryRecord(t, 2, &kgo.Record{Topic: "parliament-sag", Offset: 2, Key: []byte("Sag:2")}, stream.ClassSchema, "")
	m.bury(t, 3, changeOf(3, 10, `{}`), stream.ClassTooLarge, "")
	m.exec(t, `UPDATE dead_letters SET key = 'Sag:33' WHERE "offset" = 3`)
	for claim, tc := range map[string]struct {
		args   []string
		status int
		want   []string
	}{
		"a record": {[]string{"parliament-sag/0@1"}, 0, []string{
			"key       Sag:1\n", "class     data 23514\n", "why       apply: refused\n", "mend      a constraint refuses the row",
			"version   seq 10, the cache holds 9\n", "header    ce_id: Sag:1:10\n", `            "titel": "<b>"`,
		}},
		"as JSON": {[]string{"--json", "parliament-sag/0@1"}, 0, []string{
			`"headers":[{"name":"ce_id","value":"Sag:1:10"}],"value":{"entity":"Sag","id":1,`, `"titel":"<b>"`, `"cache_seq":9`, `"mend":"a constraint`,
		}},
		"a tombstone":                    {[]string{"parliament-sag/0@2"}, 0, []string{"value     none: it is a tombstone", "upgrade the sink"}},
		"one whose record is gone":       {[]string{"parliament-sag/0@3"}, 0, []string{"missing   the topic parliament-sag.dlq does not hold", "raise max.message.bytes"}},
		"by the dead letter's own place": {[]string{"parliament-sag.dlq/0@0"}, 0, []string{"see parliament-sag/0@1", "Sag:1"}},
		"none":                           {[]string{"parliament-sag/0@77"}, 1, []string{"there is no dead letter parliament-sag/0@77"}},
		"none of the poller's":           {[]string{"parliament-sag.dlq/0@77"}, 1, []string{"there is no dead letter"}},
		"a bad name":                     {[]string{"parliament-sag"}, 2, []string{"want TOPIC/PARTITION@OFFSET"}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			status, out := m.dlq(t, append([]string{"show"}, tc.args...)...)
			want(t, status, out, tc.status, tc.want...)
		})
	}
}

func TestBadCommandLinesOfDLQ(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct{ line, want string }{
		"no command":    {"dlq", "want list, show, retry or discard"},
		"an unknown":    {"dlq mend", "want list, show, retry or discard"},
		"a class":       {"dlq list --class odd", `--class is "odd"`},
		"an age":        {"dlq list --age -1s", "--age is -1s"},
		"a time":        {"dlq retry --since monday", `--since is "monday"`},
		"a time before": {"dlq discard --since -1h", `--since is "-1h"`},
		"a canary":      {"dlq retry --canary -1", "--canary is -1"},
		"a rate":        {"dlq retry --rate NaN", "--rate is NaN"},
		"a letter":      {"dlq retry --letter x/1", "want TOPIC/PARTITION@OFFSET"},
		"no database":   {"dlq list", "DATABASE_URL is not set"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			status := Run(t.Context(), strings.Fields(tc.line), []string{"KAFKA_BROKERS=localhost:1"}, &out, &out)
			want(t, status, out.String(), 2, tc.want)
		})
	}
}

func TestDLQScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/dlq",
		Setup: func(env *testscript.Env) error {
			m := newMorgue(t)
			m.bury(t, 41, changeOf(1, 10, `{"titel":"x"}`), stream.ClassData, "22P05")
			m.bury(t, 42, changeOf(2, 10, `{}`), stream.ClassData, "23514")
			m.hold(t, changeOf(2, 11, `{}`))
			err := m.letters.DeadLetter(t.Context(), stream.DeadLetter{
				Record: &kgo.Record{Topic: "parliament-sag", Key: []byte("Sag:3"), Value: []byte("{}")}, Group: "poller",
				Class: stream.ClassTooLarge, Err: "above the limit", Attempts: 1, FailedAt: buried,
			})
			for _, entry := range m.environ() {
				name, value, _ := strings.Cut(entry, "=")
				env.Setenv(name, value)
			}
			env.Setenv("FAILED", buried.UTC().Format("2006-01-02T15:04"))
			return err
		},
	})
}
