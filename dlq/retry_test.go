package dlq_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/dlq"
	"odastream/internal/test/stand"
	"odastream/schema"
	"odastream/stream"
)

// Invariant 3: a retried record never takes a row back to an older version, whether or
// not the table has its seq.
func TestRetryOfAnOldRecordOverANewerRowChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Add(t, 4, stand.ChangeOf(1, 10, `{"v":1}`), stream.ClassData, "23514")
	r.Add(t, 5, stand.ChangeOf(2, 10, `{"v":1}`), stream.ClassData, "23514")
	r.Put(t, stand.ChangeOf(1, 11, `{"v": 2}`))
	r.Put(t, stand.ChangeOf(2, 11, `{"v": 2}`))
	r.Exec(t, `UPDATE dead_letters SET seq = NULL WHERE "offset" = 5`)

	totals, lines, err := r.retry(t, cache.DeadLetterFilter{}, dlq.Options{DryRun: true})
	if totals != (dlq.Totals{Retried: 1}) || lines != "parliament-sag/0@5 Sag:2 would be retried" || err != nil {
		t.Errorf("dry run = %+v, %v:\n%s", totals, err, lines)
	}
	r.Want(t, stand.DeadLetterStates, "4 open, 5 open")
	totals, lines, err = r.retry(t, cache.DeadLetterFilter{}, dlq.Options{})
	if totals != (dlq.Totals{Superseded: 1}) || lines != "parliament-sag/0@5 Sag:2 superseded" || err != nil {
		t.Errorf("retry = %+v, %v:\n%s", totals, err, lines)
	}
	r.Want(t, stand.Rows, `1 11 {"v": 2}, 2 11 {"v": 2}`)
	r.Want(t, stand.DeadLetterStates, "4 superseded, 5 superseded")
	if _, _, err := r.retry(t, cache.DeadLetterFilter{At: at(4)}, dlq.Options{}); err == nil || !strings.Contains(err.Error(), "parliament-sag/0@4 is superseded: only an open one") {
		t.Errorf("retry of a superseded one = %v", err)
	}
	if _, _, err := r.retry(t, cache.DeadLetterFilter{At: at(9)}, dlq.Options{}); !errors.Is(err, dlq.ErrNone) {
		t.Errorf("retry of none = %v, want %v", err, dlq.ErrNone)
	}
}

func TestRetryAppliesOnceTheCauseIsRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Exec(t, stand.ForbidBad)
	r.Add(t, 4, stand.ChangeOf(1, 10, `{"bad":1}`), stream.ClassData, "23000")
	r.Add(t, 4, stand.ChangeOf(1, 10, `{"bad":1}`), stream.ClassData, "23000") // at least once
	r.Add(t, 5, schema.Change{Entity: "Sag", ID: 2, Action: schema.Delete, Seq: 10, Timestamp: stand.FailedAt, Origin: schema.OriginScan}, stream.ClassData, "23000")
	r.Put(t, stand.ChangeOf(2, 9, `{}`))

	totals, lines, err := r.retry(t, cache.DeadLetterFilter{Key: "Sag:1"}, dlq.Options{})
	if totals != (dlq.Totals{Open: 1}) || err != nil {
		t.Errorf("retry before = %+v, %v", totals, err)
	}
	has(t, lines, "Sag:1 failed: apply 1 records:")
	r.Want(t, `SELECT state || ' ' || sqlstate || ' ' || (error ~ 'no_bad') || ' ' || (changed_at > failed_at) FROM dead_letters WHERE "offset" = 4`, "open 23514 true true")
	r.Exec(t, `ALTER TABLE parliamentary_data DROP CONSTRAINT no_bad`)
	totals, lines, err = r.retry(t, cache.DeadLetterFilter{Class: "data", Since: stand.FailedAt}, dlq.Options{})
	if want := "parliament-sag/0@4 Sag:1 retried\nparliament-sag/0@5 Sag:2 retried"; totals != (dlq.Totals{Retried: 2}) || lines != want || err != nil {
		t.Errorf("retry after = %+v, %v, want each once:\n%s", totals, err, lines)
	}
	r.Want(t, stand.Rows, `1 10 {"bad": 1}`)
	r.Want(t, `SELECT entity_id || ' ' || seq FROM parliamentary_deleted`, "2 10")
	r.Want(t, stand.DeadLetterStates, "4 retried, 5 retried")
	r.Want(t, `SELECT bool_and(changed_at > failed_at + interval '1 hour') FROM dead_letters`, "true")
	r.Want(t, `SELECT count(*) FROM sink_offsets`, "0") // no offset moves
}

func TestCanaryStopsAtTheFirstFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Exec(t, stand.ForbidBad)
	r.Add(t, 1, stand.ChangeOf(1, 10, `{}`), stream.ClassData, "23514")
	r.Add(t, 2, stand.ChangeOf(2, 10, `{"bad":1}`), stream.ClassData, "23514")
	r.Add(t, 3, stand.ChangeOf(3, 10, `{}`), stream.ClassData, "23514")
	if _, lines, err := r.retry(t, cache.DeadLetterFilter{}, dlq.Options{Canary: 2}); !errors.Is(err, dlq.ErrCanary) {
		t.Errorf("retry = %v, want %v:\n%s", err, dlq.ErrCanary, lines)
	}
	r.Want(t, stand.DeadLetterStates, "1 retried, 2 open, 3 open")
	r.Want(t, stand.Rows, "1 10 {}")

	r.Add(t, 4, stand.ChangeOf(4, 10, `{}`), stream.ClassData, "23514")
	r.Exec(t, `UPDATE dead_letters SET state = 'discarded' WHERE "offset" = 3`)
	r.Add(t, 5, stand.ChangeOf(5, 10, `{"bad":1}`), stream.ClassData, "23514")
	r.Exec(t, `UPDATE dead_letters SET state = 'discarded' WHERE "offset" = 2`)
	r.Add(t, 6, stand.ChangeOf(6, 10, `{}`), stream.ClassData, "23514")
	if totals, _, err := r.retry(t, cache.DeadLetterFilter{}, dlq.Options{Canary: 1}); totals != (dlq.Totals{Retried: 2, Open: 1}) || err != nil {
		t.Errorf("retry with a failure behind the canary = %+v, %v, want 2 retried, 1 open", totals, err)
	}
	r.Want(t, stand.DeadLetterStates, "1 retried, 2 discarded, 3 discarded, 4 retried, 5 open, 6 retried")
}

func TestDeadLettersThatCannotBeRetriedStayOpen(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.AddRecord(t, 1, &kgo.Record{Topic: "parliament-sag", Offset: 1, Key: []byte("Sag:1"), Value: []byte("no JSON")}, stream.ClassData, "")
	r.AddRecord(t, 2, &kgo.Record{
		Topic: "parliament-sag", Offset: 2, Key: []byte("Sag:2"), Value: bytes.Repeat([]byte(" "), 1<<17),
	}, stream.ClassTooLarge, "")
	r.Add(t, 3, stand.ChangeOf(3, 10, `{}`), stream.ClassData, "")
	r.Exec(t, `UPDATE dead_letters SET key = 'Sag:33' WHERE "offset" = 3`) // the topic was recreated since
	foreign := stand.ChangeOf(4, 10, `{}`)
	foreign.Entity = "Stemme"
	r.Add(t, 4, foreign, stream.ClassData, "")
	totals, lines, err := r.retry(t, cache.DeadLetterFilter{}, dlq.Options{})
	if totals != (dlq.Totals{Open: 4}) || err != nil {
		t.Errorf("retry = %+v, %v, want 4 open", totals, err)
	}
	has(t, lines, "Sag:1 failed: decode record (decode)", "Sag:2 cut: only 65536 of its 131072 bytes were kept",
		"Sag:33 missing: the topic parliament-sag.dlq does not hold",
		`Stemme:4 failed: decode record (schema): topic parliament-sag is not that of entity "Stemme"`)
	r.Want(t, stand.DeadLetterStates, "1 open, 2 open, 3 open, 4 open")
	r.Want(t, `SELECT class FROM dead_letters WHERE "offset" = 1`, "decode")
	r.Want(t, stand.Rows, "")
}

// Invariant 6: an outage is not a bad record.
func TestAnOutageEndsARetryAndChangesNoState(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Add(t, 1, stand.ChangeOf(1, 10, `{}`), stream.ClassData, "22P05")
	r.Exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION SQLSTATE '53100'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON parliamentary_data FOR EACH ROW EXECUTE FUNCTION refuse()`)
	if _, lines, err := r.retry(t, cache.DeadLetterFilter{}, dlq.Options{}); err == nil || !strings.Contains(err.Error(), "53100") || lines != "" {
		t.Errorf("retry = %v, want the outage and no result:\n%s", err, lines)
	}
	r.Want(t, `SELECT state || ' ' || sqlstate || ' ' || error FROM dead_letters`, "open 22P05 apply: refused")
}
