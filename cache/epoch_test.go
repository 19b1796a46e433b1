package cache

import (
	"math"
	"testing"
	"time"

	"odastream/internal/test/pgtest"
)

// Whoever changes rows without moving an offset raises the epoch of their entity, and
// nobody else does.
func TestTheEpochIsRaisedByWhatMovesNoOffset(t *testing.T) {
	t.Parallel()
	s := New(open(t, pgtest.Migrated(t)), "test", Config{GIN: "off", TTL: TTL{"Sag": time.Hour}}, quiet())
	epochs := func() string {
		return pgtest.Lines(t, s.pool, `SELECT entity_type, epoch FROM cache_epochs ORDER BY 1`)
	}
	applyAll(t, s, ofTopic()...)
	for _, step := range []struct {
		claim string
		do    func()
		want  string
	}{
		{"a batch of a sink", func() {}, ""},
		{"a replay", func() { mustApply(t, s, sag(1, 61, `{"id":1,"titel":"B"}`), omtryk(1, 1, `{}`)) }, "Omtryk 1\nSag 1"},
		{"an expiry of nothing", func() { mustExpire(t, s, 0) }, "Omtryk 1\nSag 1"},
		{"an expiry", func() {
			exec(t, s, `UPDATE parliamentary_data SET expires_at = now() - interval '1s' WHERE entity_type = 'Sag' AND entity_id = 1`)
			mustExpire(t, s, 1)
		}, "Omtryk 1\nSag 2"},
		{"a look for damage", func() {
			exec(t, s, `UPDATE parliamentary_data SET seq = seq + 1 WHERE entity_type = 'Sag' AND entity_id = 3`)
			verdicts(t, openShadow(t, s, false, ofTopic()...), false)
		}, "Omtryk 1\nSag 2"},
		{"a rebuild", func() { verdicts(t, openShadow(t, s, false, ofTopic()...), true) }, "Omtryk 1\nSag 3"},
		{"a rebuild without damage", func() { verdicts(t, openShadow(t, s, false, ofTopic()...), true) }, "Omtryk 1\nSag 3"},
		{"rows that the topic no longer holds", func() {
			shadow := openShadow(t, s, true, ofTopic()[1:2]...)
			found, err := shadow.Compare(t.Context(), math.MinInt64, 100)
			if err != nil {
				t.Fatal(err)
			}
			if removed, err := shadow.DeleteAbsent(t.Context(), found.Candidates, nothingNew); err != nil || removed == 0 {
				t.Fatalf("DeleteAbsent = %d, %v", removed, err)
			}
		}, "Omtryk 1\nSag 4"},
	} {
		step.do()
		if got := epochs(); got != step.want {
			t.Errorf("epochs after %s: %q, want %q", step.claim, got, step.want)
		}
	}
}
