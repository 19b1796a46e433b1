package checkpoint

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"odastream/schema"
)

// wantCheckpoint compares times as instants, and takes a nil list for an empty one.
func wantCheckpoint(t *testing.T, s *Store, entity string, want Checkpoint) {
	t.Helper()
	if diff := cmp.Diff(want, load(t, s, entity), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Load(%s) (-want +got):\n%s", entity, diff)
	}
}

func TestLoadOfAnEntityNeverWorkedOn(t *testing.T) {
	t.Parallel()
	s := open(t)
	furnish(t, s, acquire(t, s, entity, "a"))
	wantCheckpoint(t, s, "Aktør", Checkpoint{})
	if got := entries(t, s, "Aktør", 1, 2, 3); len(got) != 0 {
		t.Errorf("Entries of an entity never worked on = %v", got)
	}
	acquire(t, s, "Aktør", "a")
	wantCheckpoint(t, s, "Aktør", Checkpoint{}) // a lease alone changes no checkpoint
}

func TestLoadReturnsWhatWasSaved(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	want := Checkpoint{
		Watermark: noon, LoadedAt: noon.Add(1000), ScannedAt: noon.Add(2000), ConsistentThrough: noon.Add(3000),
		Seq: 1795445400123456, Partitions: 3,
		Positions: map[int32]schema.Position{0: {TopicID: [16]byte{1, 2}, Next: 7}, 2: {TopicID: [16]byte{1, 2}, Next: 1 << 40}},
	}
	mustSave(t, s, lease, Progress{
		Watermark: want.Watermark, WallClock: "2026-11-23T13:00:00", LoadedAt: want.LoadedAt, ScannedAt: want.ScannedAt,
		ConsistentThrough: want.ConsistentThrough, Seq: want.Seq, Partitions: want.Partitions, Positions: want.Positions,
	})
	wantCheckpoint(t, s, entity, want)
	// An empty save changes nothing.
	mustSave(t, s, lease, Progress{})
	mustFold(t, s, lease, Progress{})
	wantCheckpoint(t, s, entity, want)
	want.Pass = &Pass{After: "2026-11-23T12:59:00", Until: "2026-11-23T13:01:00", Goal: noon, LastID: 98765}
	mustSave(t, s, lease, Progress{Pass: want.Pass})
	wantCheckpoint(t, s, entity, want)
}

func TestInstantsAreNeverRoundedUp(t *testing.T) {
	t.Parallel()
	s := open(t)
	mustSave(t, s, acquire(t, s, entity, "a"), Progress{Watermark: noon.Add(999)})
	if got := load(t, s, entity).Watermark; !got.Equal(noon) {
		t.Errorf("watermark is %s, want %s: what lies behind it was not seen", got, noon)
	}
}

func TestProgressNeverMovesBack(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	mustSave(t, s, lease, Progress{
		Watermark: noon, WallClock: "noon", ScannedAt: noon, ConsistentThrough: noon, Seq: 10, Partitions: 3,
	})
	before := dump(t, s)
	mustSave(t, s, lease, Progress{
		Watermark: noon.Add(-1000), WallClock: "before noon", ScannedAt: noon.Add(-1000), ConsistentThrough: noon.Add(-1000), Seq: 9, Partitions: 4,
	})
	if diff := cmp.Diff(before, dump(t, s)); diff != "" {
		t.Errorf("an earlier save moved what is stored:\n%s", diff)
	}
	later := noon.Add(1000)
	mustSave(t, s, lease, Progress{Watermark: later, WallClock: "after noon", ScannedAt: later, ConsistentThrough: later, Seq: 11})
	wantCheckpoint(t, s, entity, Checkpoint{Watermark: later, ScannedAt: later, ConsistentThrough: later, Seq: 11, Partitions: 3})
	if got := column(t, s, "SELECT wall_clock FROM poller_watermarks"); !cmp.Equal(got, []string{"after noon"}) {
		t.Errorf("wall clock is %q, want that of the watermark", got)
	}
}

func TestSeqIsAtLeastThatOfTheEntries(t *testing.T) {
	t.Parallel()
	s := open(t)
	mustSave(t, s, acquire(t, s, entity, "a"), Progress{Entries: []Entry{live(1, 30), live(2, 20)}, Seq: 25})
	if got := load(t, s, entity).Seq; got != 30 {
		t.Errorf("seq is %d, want 30: the next one must lie above every entry", got)
	}
}

func TestAPassEndsWithItsWatermark(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	first := &Pass{After: "a", Until: "b", Goal: noon, LastID: 1}
	mustSave(t, s, lease, Progress{Pass: first})
	mustSave(t, s, lease, Progress{Seq: 5})
	wantCheckpoint(t, s, entity, Checkpoint{Seq: 5, Pass: first})
	further := &Pass{After: "a", Until: "b", Goal: noon, LastID: 200}
	mustSave(t, s, lease, Progress{Pass: further})
	wantCheckpoint(t, s, entity, Checkpoint{Seq: 5, Pass: further})
	mustSave(t, s, lease, Progress{Watermark: noon})
	wantCheckpoint(t, s, entity, Checkpoint{Seq: 5, Watermark: noon})
}

func TestPositionsFollowTheTopic(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	previous, present := [16]byte{1}, [16]byte{2}
	mustSave(t, s, lease, Progress{Positions: map[int32]schema.Position{0: {TopicID: previous, Next: 100}, 1: {TopicID: previous, Next: 50, Start: 7}}})
	mustSave(t, s, lease, Progress{Positions: map[int32]schema.Position{0: {TopicID: previous, Next: 110, Start: 20}}})
	wantCheckpoint(t, s, entity, Checkpoint{Positions: map[int32]schema.Position{0: {TopicID: previous, Next: 110, Start: 20}, 1: {TopicID: previous, Next: 50, Start: 7}}})
	// A recreated topic begins at 0 again.
	mustFold(t, s, lease, Progress{Positions: map[int32]schema.Position{0: {TopicID: present, Next: 0}, 1: {TopicID: present, Next: 3}}})
	wantCheckpoint(t, s, entity, Checkpoint{Positions: map[int32]schema.Position{0: {TopicID: present, Next: 0}, 1: {TopicID: present, Next: 3}}})
}

func TestNewerEntriesWin(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	full := live(1, 5)
	full.Stamp, full.Fields = "2026-11-23T16:09:58.347", []byte("123456")
	mustSave(t, s, lease, Progress{Entries: []Entry{full, live(2, 5), live(-7, 5), deleted(3, 5)}})
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 4), deleted(2, 6), live(3, 6)}})
	want := map[int64]Entry{1: full, 2: deleted(2, 6), 3: live(3, 6), -7: live(-7, 5)}
	if diff := cmp.Diff(want, entries(t, s, entity, 1, 2, 3, 4, -7)); diff != "" {
		t.Errorf("Entries (-want +got):\n%s", diff)
	}
	if got := entries(t, s, entity); len(got) != 0 {
		t.Errorf("Entries of no ids = %v, want none", got)
	}
	count, err := s.Count(t.Context(), entity)
	if err != nil || count != 3 {
		t.Errorf("Count = %d, %v, want the 3 live rows", count, err)
	}
}

func TestEntriesInRanges(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{live(-1, 1), live(0, 1), live(5, 1), deleted(10, 1), live(11, 1), live(20, 1)}})
	got, err := s.Entries(t.Context(), entity, []int64{20, 21}, []schema.IDRange{{Low: 0, High: 10}, {Low: -5, High: -1}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[int64]Entry{-1: live(-1, 1), 5: live(5, 1), 10: deleted(10, 1), 20: live(20, 1)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Entries of windows (-want +got):\n%s", diff)
	}
}

// A save is stored as a whole or not at all.
func TestASaveIsAtomic(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	furnish(t, s, lease)
	before := dump(t, s)
	exec(t, s, "ALTER TABLE poller_positions ADD CONSTRAINT refused CHECK (next_offset < 1000)")
	err := s.Save(t.Context(), lease, Progress{Entries: []Entry{live(9, 9)}, Watermark: noon, Positions: map[int32]schema.Position{0: {Next: 1000}}})
	if err == nil {
		t.Fatal("Save against a constraint succeeded")
	}
	if diff := cmp.Diff(before, dump(t, s)); diff != "" {
		t.Errorf("the failed save changed:\n%s", diff)
	}
}

// New rows are written by COPY, with others in one save. The save fails if the
// ledger has one of them.
func TestNewEntriesAreWrittenByCopy(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 5), live(2, 5)}})
	fresh, gone, spoilt := live(3, 6), deleted(4, 7), dirty(5, 8)
	fresh.Stamp, fresh.Fields = "2026-11-23T16:09:58.347", []byte("123456")
	want := map[int64]Entry{1: live(1, 9), 2: live(2, 5), 3: fresh, 4: gone, 5: spoilt}
	fresh.New, gone.New, spoilt.New = true, true, true
	mustSave(t, s, lease, Progress{Entries: []Entry{fresh, live(1, 9), gone, spoilt}})
	if diff := cmp.Diff(want, entries(t, s, entity, 1, 2, 3, 4, 5)); diff != "" {
		t.Errorf("Entries (-want +got):\n%s", diff)
	}
	before := dump(t, s)
	known := live(2, 20)
	known.New = true
	if err := s.Save(t.Context(), lease, Progress{Entries: []Entry{live(1, 21), known}, Watermark: noon}); err == nil {
		t.Error("Save of a known row as new succeeded")
	}
	if diff := cmp.Diff(before, dump(t, s)); diff != "" {
		t.Errorf("the failed save changed:\n%s", diff)
	}
	// Fold ignores New: it looks each row up.
	mustFold(t, s, lease, Progress{Entries: []Entry{known}})
	if diff := cmp.Diff(map[int64]Entry{2: live(2, 20)}, entries(t, s, entity, 2)); diff != "" {
		t.Errorf("Entries after Fold (-want +got):\n%s", diff)
	}
}
