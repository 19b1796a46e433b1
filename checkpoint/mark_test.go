package checkpoint

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"odastream/schema"
)

func marks(t testing.TB, s *Store, entity string, ids []int64, windows ...schema.IDRange) map[int64]Mark {
	t.Helper()
	known, err := s.Marks(t.Context(), entity, ids, windows)
	if err != nil {
		t.Fatalf("Marks(%s, %d, %v) = %v", entity, ids, windows, err)
	}
	return known
}

func TestMarksOfIDsAndOfWindows(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease, other := acquire(t, s, entity, "a"), acquire(t, s, "Aktør", "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{live(-1, 1), live(0, 2), live(5, 3), deleted(10, 4), live(11, 5), dirty(20, 6), live(30, 7)}})
	mustSave(t, s, other, Progress{Entries: []Entry{live(5, 8)}})
	for claim, c := range map[string]struct {
		ids     []int64
		windows []schema.IDRange
		want    map[int64]Mark
	}{
		"nothing asked":            {nil, nil, map[int64]Mark{}},
		"ids":                      {[]int64{5, 10, 20, 21}, nil, map[int64]Mark{5: {Spelling: -3}, 10: {Deleted: true}, 20: {}}},
		"a window without its low": {nil, []schema.IDRange{{Low: 0, High: 10}}, map[int64]Mark{5: {Spelling: -3}, 10: {Deleted: true}}},
		"windows apart":            {nil, []schema.IDRange{{Low: 10, High: 11}, {Low: -2, High: 0}}, map[int64]Mark{-1: {Spelling: -1}, 0: {Spelling: -2}, 11: {Spelling: -5}}},
		"windows that touch":       {nil, []schema.IDRange{{Low: 5, High: 11}, {Low: 0, High: 5}}, map[int64]Mark{5: {Spelling: -3}, 10: {Deleted: true}, 11: {Spelling: -5}}},
		"a window inside another":  {nil, []schema.IDRange{{Low: 0, High: 30}, {Low: 5, High: 10}}, map[int64]Mark{5: {Spelling: -3}, 10: {Deleted: true}, 11: {Spelling: -5}, 20: {}, 30: {Spelling: -7}}},
		"ids beside a window":      {[]int64{30}, []schema.IDRange{{Low: 19, High: 20}}, map[int64]Mark{20: {}, 30: {Spelling: -7}}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, marks(t, s, entity, c.ids, c.windows...)); diff != "" {
				t.Errorf("Marks (-want +got):\n%s", diff)
			}
		})
	}
}

// A digest tells rows from any other that a page may show in their place.
func TestDigestsOfWindows(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease, other := acquire(t, s, entity, "a"), acquire(t, s, "Aktør", "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 1), live(2, 2), deleted(3, 3), dirty(4, 4), live(10, 5), live(11, 6)}})
	mustSave(t, s, other, Progress{Entries: []Entry{live(2, 7)}})
	windows := []schema.IDRange{{Low: 0, High: 3}, {Low: 3, High: 4}, {Low: 4, High: 9}, {Low: 9, High: 10}, {Low: -5, High: 100}}
	got, err := s.Digests(t.Context(), entity, windows)
	if err != nil {
		t.Fatalf("Digests(%v) = %v", windows, err)
	}
	want := []Digest{digest(-1, -2), {Rows: 1}, {}, digest(-5), digest(-1, -2, 0, -5, -6)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Digests(%v) (-want +got):\n%s", windows, diff)
	}
}

func digest(spellings ...schema.Spelling) (d Digest) {
	for _, s := range spellings {
		d.Add(s)
	}
	return d
}

// An operator marks a row in SQL, who knows nothing of spellings.
func TestARowMarkedByHandHasNoSpelling(t *testing.T) {
	t.Parallel()
	s := open(t)
	mustSave(t, s, acquire(t, s, entity, "a"), Progress{Entries: []Entry{live(1, 1), live(2, 2)}})
	exec(t, s, `UPDATE poller_ledger SET hash = '' WHERE entity_id = 1`)
	exec(t, s, `UPDATE poller_ledger SET hash = NULL WHERE entity_id = 2`)
	want := map[int64]Mark{1: {}, 2: {Deleted: true}}
	if diff := cmp.Diff(want, marks(t, s, entity, []int64{1, 2})); diff != "" {
		t.Errorf("Marks (-want +got):\n%s", diff)
	}
	if sums, err := s.Digests(t.Context(), entity, []schema.IDRange{{Low: 0, High: 2}}); err != nil || sums[0] != (Digest{Rows: 1}) {
		t.Errorf("Digests are %+v, %v; want one row without a spelling", sums, err)
	}
	for id, e := range entries(t, s, entity, 1, 2) {
		if e.Spelling != 0 {
			t.Errorf("entry %d has spelling %d, want none", id, e.Spelling)
		}
	}
}

// A row that is only spelled otherwise has no new record, and so no new seq.
func TestANewSpellingIsKeptUnlessTheContentIsAnother(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 1), live(2, 2), live(3, 3), dirty(4, 4), deleted(5, 5)}})
	exec(t, s, `UPDATE poller_ledger SET hash = '' WHERE entity_id = 2`)
	again := []Entry{live(1, 1), live(2, 2), live(3, 2), live(4, 4), live(5, 5)}
	for i := range again {
		again[i].Spelling, again[i].Stamp = 77, "2014-09-09T09:05:59.654"
	}
	mustSave(t, s, lease, Progress{Entries: again})
	want := map[int64]Entry{1: again[0], 2: dirty(2, 2), 3: live(3, 3), 4: dirty(4, 4), 5: deleted(5, 5)}
	if diff := cmp.Diff(want, entries(t, s, entity, 1, 2, 3, 4, 5)); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func TestJoinedWindowsHoldTheSameIDs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		windows := rapid.SliceOf(rapid.Custom(func(t *rapid.T) schema.IDRange {
			low := rapid.Int64Range(-20, 20).Draw(t, "low")
			return schema.IDRange{Low: low, High: low + rapid.Int64Range(0, 10).Draw(t, "width")}
		})).Draw(t, "windows")
		together := Joined(windows)
		for id := int64(-21); id <= 31; id++ {
			if a, b := inside(windows, id), inside(together, id); (a > 0) != (b > 0) || b > 1 {
				t.Fatalf("%v joined are %v: id %d is in %d of them, and in %d of those before", windows, together, id, b, a)
			}
		}
	})
}

func inside(windows []schema.IDRange, id int64) (n int) {
	for _, w := range windows {
		if w.Low < id && id <= w.High {
			n++
		}
	}
	return n
}
