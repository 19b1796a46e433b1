package cli

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/internal/console"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/stand"
	"odastream/rebuild"
	"odastream/schema"
)

func runRebuild(t *testing.T, r *stand.Copy, args ...string) (int, string) {
	t.Helper()
	var out, said bytes.Buffer
	status := Run(t.Context(), append([]string{"rebuild", r.Entity}, args...), r.Environ(), &out, &said)
	if out.Len() == 0 {
		return status, said.String()
	}
	return status, out.String()
}

func TestRebuildReportsAndMendsDamage(t *testing.T) {
	t.Parallel()
	r := stand.NewCopy(t, kafkatest.Fake(t), "Sag")
	r.Load(t, 20, 10)
	r.Publish(t, r.Change(7, schema.Delete, 0))
	r.Once(t)
	status, out := runRebuild(t, r)
	want(t, status, out, 0, "has 19 rows (22 records read), the cache had 19", "no difference")

	r.Exec(t, `UPDATE parliamentary_data SET data = '{}' WHERE entity_id = 3; DELETE FROM parliamentary_data WHERE entity_id BETWEEN 8 AND 19;
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 99, '{}', 9223372036854775807);
DELETE FROM parliamentary_deleted`)
	damaged := r.Value(t, stand.Rows)
	status, out = runRebuild(t, r, "--dry-run")
	want(t, status, out, 1, "the cache had 8", "12 missing from the cache: Sag/8, Sag/9, Sag/10, Sag/11, Sag/12, Sag/13, Sag/14, Sag/15, Sag/16, Sag/17, and 2 more",
		"1 not as the topic has them: Sag/3", "1 not in the topic: Sag/99", "1 deletes not remembered: Sag/7", "15 differences; nothing was changed (--dry-run)")
	if got := r.Value(t, stand.Rows); got != damaged {
		t.Errorf("a dry run changed the cache:\n%s\nwas\n%s", got, damaged)
	}
	status, out = runRebuild(t, r, "--json")
	var report rebuild.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if status != 0 || report.Mended != 15 || report.Missing.Count != 12 {
		t.Errorf("rebuild --json = %d, %+v, want 15 mended", status, report)
	}
	status, out = runRebuild(t, r, "--dry-run")
	want(t, status, out, 0, "no difference")
}

func TestRebuildRefusesTopicsThatItCannotCompare(t *testing.T) {
	t.Parallel()
	r := stand.NewCopy(t, kafkatest.Fake(t), "Sag")
	status, out := runRebuild(t, r)
	want(t, status, out, 1, "nothing of this topic is applied yet", "SINK_GROUP")
	r.Load(t, 5, 10)

	r.Exec(t, `INSERT INTO poller_watermarks (entity_type, watermark, seq) VALUES ('Sag', now(), 5)`)
	status, out = runRebuild(t, r)
	want(t, status, out, 1, "the first load of Sag is not complete")
	r.Exec(t, `UPDATE poller_watermarks SET loaded_at = now()`)

	var usage bytes.Buffer
	status = Run(t.Context(), []string{"rebuild", "Sga"}, r.Environ(), &usage, &usage)
	want(t, status, usage.String(), 2, `unknown entity "Sga"`)
	status = Run(t.Context(), []string{"rebuild", "Dokument"}, r.Environ(), &usage, &usage)
	want(t, status, usage.String(), 1, "topic does not exist")

	_, err := kadm.NewClient(r.Client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: new("delete")}}, r.Kafka.Topic("Sag"))
	if err != nil {
		t.Fatal(err)
	}
	r.Exec(t, `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 99, '{}', 1)`)
	status, out = runRebuild(t, r)
	want(t, status, out, 1, "does not keep the newest record of every key", "cleanup.policy")
	if got := r.Value(t, `SELECT count(*) FROM parliamentary_data`); got != "6" {
		t.Errorf("%s rows, want all 6", got)
	}
}

func TestRebuildNamesTheRowsThatPostgresRefuses(t *testing.T) {
	t.Parallel()
	r := stand.NewCopy(t, kafkatest.Fake(t), "Sag")
	r.Load(t, 9, 10)
	r.Exec(t, `DELETE FROM parliamentary_data; ALTER TABLE parliamentary_data ADD CONSTRAINT no_four CHECK (entity_id <> 4)`)
	status, out := runRebuild(t, r)
	want(t, status, out, 1, "9 missing", "1 refused by Postgres: see odastream dlq list: Sag/4", "9 differences, 8 mended")
	if got := r.Value(t, `SELECT string_agg(entity_id::text, ' ' ORDER BY entity_id) FROM parliamentary_data`); got != "1 2 3 5 6 7 8 9" {
		t.Errorf("rows %s", got)
	}
}

func TestRebuildReportsPendingRows(t *testing.T) {
	t.Parallel()
	r := stand.NewCopy(t, kafkatest.Fake(t), "Sag")
	r.Load(t, 10, 10)
	r.Publish(t, r.Change(1, schema.Update, 10), r.Change(50, schema.Create, 10), r.Change(2, schema.Delete, 0))
	status, out := runRebuild(t, r)
	want(t, status, out, 0, "3 rows have changes that the sink has not applied yet: they are left to it", "no difference")
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
