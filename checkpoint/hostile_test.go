package checkpoint

import (
	"testing"
	"time"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// Whatever settings a database gives to its sessions: what is saved is what is
// read, and a save beside a renewal of its lease ends neither.
func TestSettingsOfTheDatabaseChangeNoResult(t *testing.T) {
	t.Parallel()
	s := openAt(t, pgtest.Hostile(t))
	lease := acquire(t, s, entity, "me")
	seen := time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC)
	want := Entry{ID: 7, Seq: 3, Hash: hashOf(3), Stamp: "2026-03-29T03:30:00 å", Fields: schema.Fields{1, 2, 0xff}}
	mustSave(t, s, lease, Progress{Entries: []Entry{want}, Watermark: seen, WallClock: "2026-03-29T03:30:00", LoadedAt: seen})
	got := entries(t, s, entity, 7)[7]
	if got.Stamp != want.Stamp || got.Hash != want.Hash || string(got.Fields) != string(want.Fields) {
		t.Errorf("entry = %+v, want %+v", got, want)
	}
	if c := load(t, s, entity); !c.Watermark.Equal(seen) {
		t.Errorf("watermark = %s, want %s", c.Watermark, seen)
	}
	for i, err := range together(8, func(i int) error {
		for n := range 20 {
			if _, err := s.Renew(t.Context(), lease, ttl); err != nil {
				return err
			}
			if err := s.Save(t.Context(), lease, Progress{Entries: []Entry{live(int64(100+i), int64(10+n))}}); err != nil {
				return err
			}
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("saver %d: %v", i, err)
		}
	}
}

// A topic's record may hold any text as its stamp: neither a save nor a fold fails.
func TestStampsThatPostgresRefusesAreStored(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "me")
	for i, stamp := range []string{"2020-01-01T08:00:00\x00", "\xff", "\xed\xa0\x80"} {
		id := int64(3 * i)
		row := func(id int64, fresh bool) []Entry {
			return []Entry{{ID: id, Seq: 5, Hash: hashOf(5), Stamp: stamp, New: fresh}, live(100+id, 5)}
		}
		mustFold(t, s, lease, Progress{Entries: row(id, false)})
		mustSave(t, s, lease, Progress{Entries: row(id+1, false)})
		mustSave(t, s, lease, Progress{Entries: row(id+2, true)})
		for id := id; id < int64(3*i+3); id++ {
			if got := entries(t, s, entity, id)[id]; got.Hash != hashOf(5) {
				t.Errorf("entry of a row stamped %q = %+v, want its hash", stamp, got)
			}
		}
	}
}
