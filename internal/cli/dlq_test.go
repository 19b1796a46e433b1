package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/stand"
	"odastream/stream"
)

// runDLQ runs a command for dead letters and returns its exit status and output.
func runDLQ(t *testing.T, d *stand.DeadLetters, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	status := Run(t.Context(), append([]string{"dlq"}, args...), d.Environ(), &out, &out)
	return status, out.String()
}

// want checks an exit status and what the output must contain.
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

func TestRetryPrintsTheOutcomeOfEachDeadLetter(t *testing.T) {
	t.Parallel()
	d := stand.NewDeadLetters(t)
	d.Exec(t, stand.ForbidBad)
	d.Add(t, 1, stand.ChangeOf(1, 10, `{"bad":1}`), stream.ClassData, "23514")
	d.Add(t, 2, stand.ChangeOf(2, 10, `{}`), stream.ClassData, "23514")
	d.Add(t, 3, stand.ChangeOf(3, 10, `{"v":1}`), stream.ClassData, "23514")
	d.Put(t, stand.ChangeOf(3, 11, `{"v": 2}`))
	d.Exec(t, `UPDATE dead_letters SET seq = NULL WHERE "offset" = 3`)

	status, out := runDLQ(t, d, "retry", "--dry-run")
	want(t, status, out, 0, "nothing is changed; of 3 dead letters", "parliament-sag/0@2  Sag:2  would be retried", "3 retried, 0 superseded, 0 stay open")
	status, out = runDLQ(t, d, "retry", "--canary", "1")
	want(t, status, out, 1, "applying 3 dead letters", "Sag:1  failed: apply 1 records:", "the others were left alone (--canary)")
	status, out = runDLQ(t, d, "retry", "--key", "Sag:3")
	want(t, status, out, 0, "parliament-sag/0@3  Sag:3  superseded", "0 retried, 1 superseded, 0 stay open")
	status, out = runDLQ(t, d, "retry", "--rate", "0")
	want(t, status, out, 1, "Sag:1  failed:", "Sag:2  retried", "1 retried, 0 superseded, 1 stay open")
	d.Exec(t, `ALTER TABLE parliamentary_data DROP CONSTRAINT no_bad`)
	status, out = runDLQ(t, d, "retry", "--json", "--since", "96h", "--class", "data")
	want(t, status, out, 0, `{"letter":"parliament-sag/0@1","key":"Sag:1","outcome":"retried"}`)
	status, out = runDLQ(t, d, "retry")
	want(t, status, out, 0, "applying 0 dead letters")
	status, out = runDLQ(t, d, "retry", "--letter", "parliament-sag/0@3")
	want(t, status, out, 1, "parliament-sag/0@3 is superseded: only an open one")
	status, out = runDLQ(t, d, "retry", "--letter", "parliament-sag/0@9")
	want(t, status, out, 1, "there is no dead letter parliament-sag/0@9")
}

func TestDiscardPrintsReceipts(t *testing.T) {
	t.Parallel()
	d := stand.NewDeadLetters(t)
	for i := range int64(3) {
		d.Add(t, i, stand.ChangeOf(i, 10, `{}`), stream.ClassData, "22P05")
	}
	status, out := runDLQ(t, d, "discard", "--yes")
	want(t, status, out, 2, "say which")
	status, out = runDLQ(t, d, "discard", "--letter", "parliament-sag/0@1")
	want(t, status, out, 2, "to discard: parliament-sag/0@1  Sag:1  data", "nothing was discarded: --yes does it")
	status, out = runDLQ(t, d, "discard", "--topic", "parliament-sag", "--yes", "--dry-run")
	want(t, status, out, 0, "3 dead letters would be discarded")
	d.Want(t, stand.DeadLetterStates, "0 open, 1 open, 2 open")

	status, out = runDLQ(t, d, "discard", "--letter", "parliament-sag/0@1", "--yes")
	want(t, status, out, 0, "discarded at 20", "parliament-sag/0@1  Sag:1  seq 10  data 22P05: apply: refused")
	d.Want(t, stand.DeadLetterStates, "0 open, 1 discarded, 2 open")
	d.Want(t, `SELECT changed_at > failed_at + interval '1 hour' FROM dead_letters WHERE "offset" = 1`, "true")
	d.Put(t, stand.ChangeOf(2, 11, `{}`))
	status, out = runDLQ(t, d, "discard", "--since", "2026-01-01T00:00:00Z", "--yes", "--json")
	want(t, status, out, 0, `{"letter":"parliament-sag/0@0","key":"Sag:0","class":"data","sqlstate":"22P05","state":"discarded","seq":10,`, "parliament-sag/0@2")
	d.Want(t, stand.DeadLetterStates, "0 discarded, 1 discarded, 2 discarded")
	status, out = runDLQ(t, d, "retry", "--letter", "parliament-sag/0@1")
	want(t, status, out, 1, "is discarded")
}

func TestShow(t *testing.T) {
	t.Parallel()
	d := stand.NewDeadLetters(t)
	d.Add(t, 1, stand.ChangeOf(1, 10, `{"titel":"<b>"}`), stream.ClassData, "23514")
	d.Put(t, stand.ChangeOf(1, 9, `{}`))
	d.AddRecord(t, 2, &kgo.Record{Topic: "parliament-sag", Offset: 2, Key: []byte("Sag:2")}, stream.ClassSchema, "")
	d.Add(t, 3, stand.ChangeOf(3, 10, `{}`), stream.ClassTooLarge, "")
	d.Exec(t, `UPDATE dead_letters SET key = 'Sag:33' WHERE "offset" = 3`)
	d.AddRecord(t, 4, &kgo.Record{Topic: "parliament-sag", Offset: 4}, stream.ClassTooLarge, "")
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
		"a batch that is too large":      {[]string{"parliament-sag/0@4"}, 0, []string{"value     none: no record of the batch was read", "the poller writes no such batch"}},
		"by the dead letter's own place": {[]string{"parliament-sag.dlq/0@0"}, 0, []string{"see parliament-sag/0@1", "Sag:1"}},
		"none":                           {[]string{"parliament-sag/0@77"}, 1, []string{"there is no dead letter parliament-sag/0@77"}},
		"none of the poller's":           {[]string{"parliament-sag.dlq/0@77"}, 1, []string{"there is no dead letter"}},
		"a bad name":                     {[]string{"parliament-sag"}, 2, []string{"want TOPIC/PARTITION@OFFSET"}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			status, out := runDLQ(t, d, append([]string{"show"}, tc.args...)...)
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
			d := stand.NewDeadLetters(t)
			d.Add(t, 41, stand.ChangeOf(1, 10, `{"titel":"x"}`), stream.ClassData, "22P05")
			d.Add(t, 42, stand.ChangeOf(2, 10, `{}`), stream.ClassData, "23514")
			d.Put(t, stand.ChangeOf(2, 11, `{}`))
			err := d.Publisher.DeadLetter(t.Context(), stream.DeadLetter{
				Record: &kgo.Record{Topic: "parliament-sag", Key: []byte("Sag:3"), Value: []byte("{}")}, Group: "poller",
				Class: stream.ClassTooLarge, Err: "above the limit", Attempts: 1, FailedAt: stand.FailedAt,
			})
			for _, entry := range d.Environ() {
				name, value, _ := strings.Cut(entry, "=")
				env.Setenv(name, value)
			}
			env.Setenv("FAILED", stand.FailedAt.UTC().Format("2006-01-02T15:04"))
			return err
		},
	})
}
