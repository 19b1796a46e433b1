package checkpoint

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/schema"
)

func lost(id int64) Entry { return Entry{ID: id, State: Lost} }

func TestResetTopicKeepsSeqAndWatermark(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease, other := acquire(t, s, entity, "a"), acquire(t, s, "Aktør", "a")
	for _, l := range []Lease{lease, other} {
		furnish(t, s, l)
		mustSave(t, s, l, Progress{
			Entries: []Entry{deleted(3, 7)}, LoadedAt: noon, ConsistentThrough: noon, Partitions: 3, Pass: &Pass{LastID: 1}, Lateness: []Lateness{{Bound: time.Minute, Rows: 1}},
		})
	}
	untouched := load(t, s, "Aktør")
	if err := s.ResetTopic(t.Context(), lease); err != nil {
		t.Fatalf("ResetTopic = %v", err)
	}
	wantCheckpoint(t, s, entity, Checkpoint{Watermark: noon.Add(-time.Hour), Seq: 8})
	if diff := cmp.Diff(map[int64]Entry{1: lost(1), 2: lost(2), 3: deleted(3, 7)}, entries(t, s, entity, 1, 2, 3)); diff != "" {
		t.Errorf("ledger after ResetTopic (-want +got):\n%s", diff)
	}
	if got, err := s.VanishedRows(t.Context(), entity); err != nil || len(got) != 0 {
		t.Errorf("VanishedRows after ResetTopic = %v, %v, want none", got, err)
	}
	wantCheckpoint(t, s, "Aktør", untouched)
	if got := entries(t, s, "Aktør", 1, 2); len(got) != 2 {
		t.Errorf("ledger of the other entity = %v, want both rows", got)
	}
	// The entity starts over under the same lease.
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 9)}, Partitions: 6})
	wantCheckpoint(t, s, entity, Checkpoint{Watermark: noon.Add(-time.Hour), Seq: 9, Partitions: 6})
}

// The source should have a row that is Lost. Whatever it shows of the row differs
// from the ledger: neither the row's checksum nor its range's can match.
func TestALostRowIsExpectedAndMatchesNoChecksum(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	row := live(1, 5)
	row.Checksum = 42
	mustSave(t, s, lease, Progress{Entries: []Entry{row, deleted(2, 6)}})
	if err := s.ResetTopic(t.Context(), lease); err != nil {
		t.Fatalf("ResetTopic = %v", err)
	}
	checksums, err := s.RowChecksums(t.Context(), entity, []int64{1}, []schema.IDRange{{Low: 1, High: 9}})
	if diff := cmp.Diff(map[int64]RowChecksum{1: {}, 2: {Deleted: true}}, checksums); err != nil || diff != "" {
		t.Errorf("RowChecksums = %v (-want +got):\n%s", err, diff)
	}
	sums, err := s.RangeChecksums(t.Context(), entity, []schema.IDRange{{Low: 0, High: 9}})
	if diff := cmp.Diff([]RangeChecksum{{Rows: 1}}, sums); err != nil || diff != "" {
		t.Errorf("RangeChecksums = %v (-want +got):\n%s", err, diff)
	}
	if n, err := s.Count(t.Context(), entity); err != nil || n != 1 {
		t.Errorf("Count = %d, %v, want 1", n, err)
	}
	// A topic that was truncated may still have the row: the fold finds it.
	if err := s.Fold(t.Context(), lease, Progress{Entries: []Entry{row}}); err != nil {
		t.Fatalf("Fold = %v", err)
	}
	if diff := cmp.Diff(map[int64]Entry{1: row}, entries(t, s, entity, 1)); diff != "" {
		t.Errorf("ledger after Fold (-want +got):\n%s", diff)
	}
}

// The positions tell that the topic is another one, so they are deleted last: a
// poller that is killed before that starts the reset again.
func TestAnInterruptedResetStartsAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	furnish(t, s, lease)
	exec(t, s, `INSERT INTO poller_ledger (entity_type, entity_id, seq, hash) SELECT $1, n, 1, '\x01' FROM generate_series(100, 99 + $2::bigint) n`, entity, resetChunk)
	exec(t, s, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'killed here'; END$$;
CREATE TRIGGER refuse BEFORE UPDATE ON poller_ledger FOR EACH ROW WHEN (old.entity_id = 99 + 20000) EXECUTE FUNCTION refuse()`)
	before := load(t, s, entity)
	if err := s.ResetTopic(t.Context(), lease); err == nil {
		t.Fatal("ResetTopic got past the trigger")
	}
	wantCheckpoint(t, s, entity, before)
	if n := lostRows(t, s); n != resetChunk {
		t.Errorf("%d rows are lost, want the %d of the first transaction", n, resetChunk)
	}
	exec(t, s, `DROP TRIGGER refuse ON poller_ledger`)
	if err := s.ResetTopic(t.Context(), lease); err != nil {
		t.Fatalf("ResetTopic = %v", err)
	}
	wantCheckpoint(t, s, entity, Checkpoint{Watermark: noon.Add(-time.Hour), Seq: 8})
	if n := lostRows(t, s); n != resetChunk+2 {
		t.Errorf("%d rows are lost, want %d", n, resetChunk+2)
	}
}

func lostRows(t testing.TB, s *Store) (n int) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM poller_ledger WHERE hash IS NULL AND seq = 0`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
