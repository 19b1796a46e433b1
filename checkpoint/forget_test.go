package checkpoint

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/schema"
)

func lost(id int64) Entry { return Entry{ID: id, State: Lost} }

func TestForgetKeepsSeqAndWatermark(t *testing.T) {
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
	if err := s.Forget(t.Context(), lease); err != nil {
		t.Fatalf("Forget = %v", err)
	}
	wantCheckpoint(t, s, entity, Checkpoint{Watermark: noon.Add(-time.Hour), Seq: 8})
	if diff := cmp.Diff(map[int64]Entry{1: lost(1), 2: lost(2), 3: deleted(3, 7)}, entries(t, s, entity, 1, 2, 3)); diff != "" {
		t.Errorf("ledger after Forget (-want +got):\n%s", diff)
	}
	if got, err := s.Vanished(t.Context(), entity); err != nil || len(got) != 0 {
		t.Errorf("Vanished after Forget = %v, %v, want none", got, err)
	}
	wantCheckpoint(t, s, "Aktør", untouched)
	if got := entries(t, s, "Aktør", 1, 2); len(got) != 2 {
		t.Errorf("ledger of the other entity = %v, want both rows", got)
	}
	// The entity starts over under the same lease.
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 9)}, Partitions: 6})
	wantCheckpoint(t, s, entity, Checkpoint{Watermark: noon.Add(-time.Hour), Seq: 9, Partitions: 6})
}

// A row that is lost should be at the source, and no reading of it is what the
// ledger has: neither its mark nor a digest says that it is known.
func TestALostRowIsMissedAndUnlikeEveryReading(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	row := live(1, 5)
	row.Spelling = 42
	mustSave(t, s, lease, Progress{Entries: []Entry{row, deleted(2, 6)}})
	if err := s.Forget(t.Context(), lease); err != nil {
		t.Fatalf("Forget = %v", err)
	}
	marks, err := s.Marks(t.Context(), entity, []int64{1}, []schema.IDRange{{Low: 1, High: 9}})
	if diff := cmp.Diff(map[int64]Mark{1: {}, 2: {Deleted: true}}, marks); err != nil || diff != "" {
		t.Errorf("Marks = %v (-want +got):\n%s", err, diff)
	}
	digests, err := s.Digests(t.Context(), entity, []schema.IDRange{{Low: 0, High: 9}})
	if diff := cmp.Diff([]Digest{{Rows: 1}}, digests); err != nil || diff != "" {
		t.Errorf("Digests = %v (-want +got):\n%s", err, diff)
	}
	if n, err := s.Count(t.Context(), entity); err != nil || n != 1 {
		t.Errorf("Count = %d, %v, want 1", n, err)
	}
	// What the topic holds all the same, cut and not gone, is found by the fold.
	if err := s.Fold(t.Context(), lease, Progress{Entries: []Entry{row}}); err != nil {
		t.Fatalf("Fold = %v", err)
	}
	if diff := cmp.Diff(map[int64]Entry{1: row}, entries(t, s, entity, 1)); diff != "" {
		t.Errorf("ledger after Fold (-want +got):\n%s", diff)
	}
}

// The positions, by which the topic is known to be another one, go last: whoever is
// killed before that forgets again, all of it.
func TestAForgetThatIsCutShortIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	furnish(t, s, lease)
	exec(t, s, `INSERT INTO poller_ledger (entity_type, entity_id, seq, hash) SELECT $1, n, 1, '\x01' FROM generate_series(100, 99 + $2::bigint) n`, entity, forgetAtOnce)
	exec(t, s, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'killed here'; END$$;
CREATE TRIGGER refuse BEFORE UPDATE ON poller_ledger FOR EACH ROW WHEN (old.entity_id = 99 + 20000) EXECUTE FUNCTION refuse()`)
	before := load(t, s, entity)
	if err := s.Forget(t.Context(), lease); err == nil {
		t.Fatal("Forget got past the trigger")
	}
	wantCheckpoint(t, s, entity, before)
	if n := lostRows(t, s); n != forgetAtOnce {
		t.Errorf("%d rows are lost, want the %d of the first transaction", n, forgetAtOnce)
	}
	exec(t, s, `DROP TRIGGER refuse ON poller_ledger`)
	if err := s.Forget(t.Context(), lease); err != nil {
		t.Fatalf("Forget = %v", err)
	}
	wantCheckpoint(t, s, entity, Checkpoint{Watermark: noon.Add(-time.Hour), Seq: 8})
	if n := lostRows(t, s); n != forgetAtOnce+2 {
		t.Errorf("%d rows are lost, want %d", n, forgetAtOnce+2)
	}
}

func lostRows(t testing.TB, s *Store) (n int) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM poller_ledger WHERE hash IS NULL AND seq = 0`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
