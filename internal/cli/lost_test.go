package cli

import (
	"encoding/json"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/stand"
	"odastream/rebuild"
	"odastream/schema"
)

// loseFront deletes all records of the entity's topic.
func loseFront(t *testing.T, r *stand.Copy) {
	t.Helper()
	adm := kadm.NewClient(r.Client)
	ends, err := adm.ListEndOffsets(t.Context(), r.Kafka.Topic(r.Entity))
	if err != nil {
		t.Fatal(err)
	}
	if done, err := adm.DeleteRecords(t.Context(), ends.Offsets()); err != nil || done.Error() != nil {
		t.Fatal(err, done.Error())
	}
}

// A topic that lost its front is no reason to delete what the poller knows to be there.
func TestRebuildKeepsTheRowsThatTheTopicHasLost(t *testing.T) {
	t.Parallel()
	r := stand.NewCopy(t, kafkatest.Fake(t), "Sag")
	r.Load(t, 40, 10)
	// The ledger has 1 to 40, of which 3 is to be published again and 4 is deleted. The
	// cache has 4 and 99, which nobody published.
	r.Exec(t, `INSERT INTO poller_ledger (entity_type, entity_id, seq, hash) SELECT 'Sag', id, 1, decode(md5(id::text), 'hex') FROM generate_series(1, 40) id;
UPDATE poller_ledger SET hash = '' WHERE entity_id = 3; UPDATE poller_ledger SET hash = NULL WHERE entity_id = 4;
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 99, '{}', 1)`)
	loseFront(t, r)
	status, out := runRebuild(t, r, "--dry-run")
	want(t, status, out, 1, "has 0 rows", "2 not in the topic: Sag/4, Sag/99", "39 lost by the topic "+r.Kafka.Topic("Sag"), "odastream scan Sag", "41 differences")
	status, out = runRebuild(t, r, "--json")
	var report rebuild.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if status != 1 || report.Mended != 2 || report.Lost.Count != 39 {
		t.Errorf("rebuild --json = %d, %+v, want 2 mended and 39 lost", status, report)
	}
	if got := r.Value(t, `SELECT count(*) FROM parliamentary_data`); got != "39" {
		t.Errorf("%s rows, want 39", got)
	}
	r.Publish(t, r.Change(1, schema.Update, 10))
	r.Once(t)
	status, out = runRebuild(t, r)
	want(t, status, out, 1, "38 lost by the topic", "38 differences, 0 mended")
	status, out = runRebuild(t, r, "--delete-lost")
	want(t, status, out, 0, "38 not in the topic", "38 differences, 38 mended")
	if got := r.Value(t, `SELECT string_agg(entity_id::text, ' ') FROM parliamentary_data`); got != "1" {
		t.Errorf("rows %s, want 1", got)
	}
}
