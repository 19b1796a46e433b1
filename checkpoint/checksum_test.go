package checkpoint

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/schema"
)

func rowChecksums(t testing.TB, s *Store, entity string, ids []int64, ranges ...schema.IDRange) map[int64]RowChecksum {
	t.Helper()
	known, err := s.RowChecksums(t.Context(), entity, ids, ranges)
	if err != nil {
		t.Fatalf("RowChecksums(%s, %d, %v) = %v", entity, ids, ranges, err)
	}
	return known
}

func TestRowChecksumsOfIDsAndRanges(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease, other := acquire(t, s, entity, "a"), acquire(t, s, "Aktør", "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{live(-1, 1), live(0, 2), live(5, 3), deleted(10, 4), live(11, 5), dirty(20, 6), live(30, 7)}})
	mustSave(t, s, other, Progress{Entries: []Entry{live(5, 8)}})
	for claim, c := range map[string]struct {
		ids    []int64
		ranges []schema.IDRange
		want   map[int64]RowChecksum
	}{
		"nothing asked":               {nil, nil, map[int64]RowChecksum{}},
		"ids":                         {[]int64{5, 10, 20, 21}, nil, map[int64]RowChecksum{5: {Checksum: -3}, 10: {Deleted: true}, 20: {}}},
		"a range without its low end": {nil, []schema.IDRange{{Low: 0, High: 10}}, map[int64]RowChecksum{5: {Checksum: -3}, 10: {Deleted: true}}},
		"ranges apart":                {nil, []schema.IDRange{{Low: 10, High: 11}, {Low: -2, High: 0}}, map[int64]RowChecksum{-1: {Checksum: -1}, 0: {Checksum: -2}, 11: {Checksum: -5}}},
		"ranges that touch":           {nil, []schema.IDRange{{Low: 5, High: 11}, {Low: 0, High: 5}}, map[int64]RowChecksum{5: {Checksum: -3}, 10: {Deleted: true}, 11: {Checksum: -5}}},
		"a range inside another":      {nil, []schema.IDRange{{Low: 0, High: 30}, {Low: 5, High: 10}}, map[int64]RowChecksum{5: {Checksum: -3}, 10: {Deleted: true}, 11: {Checksum: -5}, 20: {}, 30: {Checksum: -7}}},
		"ids beside a range":          {[]int64{30}, []schema.IDRange{{Low: 19, High: 20}}, map[int64]RowChecksum{20: {}, 30: {Checksum: -7}}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, rowChecksums(t, s, entity, c.ids, c.ranges...)); diff != "" {
				t.Errorf("RowChecksums (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRangeChecksums(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease, other := acquire(t, s, entity, "a"), acquire(t, s, "Aktør", "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 1), live(2, 2), deleted(3, 3), dirty(4, 4), live(10, 5), live(11, 6)}})
	mustSave(t, s, other, Progress{Entries: []Entry{live(2, 7)}})
	ranges := []schema.IDRange{{Low: 0, High: 3}, {Low: 3, High: 4}, {Low: 4, High: 9}, {Low: 9, High: 10}, {Low: -5, High: 100}}
	got, err := s.RangeChecksums(t.Context(), entity, ranges)
	if err != nil {
		t.Fatalf("RangeChecksums(%v) = %v", ranges, err)
	}
	want := []RangeChecksum{rangeChecksum(-1, -2), {Rows: 1}, {}, rangeChecksum(-5), rangeChecksum(-1, -2, 0, -5, -6)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("RangeChecksums(%v) (-want +got):\n%s", ranges, diff)
	}
}

func rangeChecksum(rows ...schema.Checksum) (c RangeChecksum) {
	for _, row := range rows {
		c.Add(row)
	}
	return c
}

// An operator who makes a row dirty in SQL changes its hash alone.
func TestARowMadeDirtyByHandHasNoChecksum(t *testing.T) {
	t.Parallel()
	s := open(t)
	mustSave(t, s, acquire(t, s, entity, "a"), Progress{Entries: []Entry{live(1, 1), live(2, 2)}})
	exec(t, s, `UPDATE poller_ledger SET hash = '' WHERE entity_id = 1`)
	exec(t, s, `UPDATE poller_ledger SET hash = NULL WHERE entity_id = 2`)
	want := map[int64]RowChecksum{1: {}, 2: {Deleted: true}}
	if diff := cmp.Diff(want, rowChecksums(t, s, entity, []int64{1, 2})); diff != "" {
		t.Errorf("RowChecksums (-want +got):\n%s", diff)
	}
	if sums, err := s.RangeChecksums(t.Context(), entity, []schema.IDRange{{Low: 0, High: 2}}); err != nil || sums[0] != (RangeChecksum{Rows: 1}) {
		t.Errorf("RangeChecksums are %+v, %v; want one row without a checksum", sums, err)
	}
	for id, e := range entries(t, s, entity, 1, 2) {
		if e.Checksum != 0 {
			t.Errorf("entry %d has checksum %d, want none", id, e.Checksum)
		}
	}
}

// A row that is written differently and has the same content gets no new record,
// and so no new seq.
func TestANewChecksumIsSavedOnlyForTheSameContent(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 1), live(2, 2), live(3, 3), dirty(4, 4), deleted(5, 5)}})
	exec(t, s, `UPDATE poller_ledger SET hash = '' WHERE entity_id = 2`)
	again := []Entry{live(1, 1), live(2, 2), live(3, 2), live(4, 4), live(5, 5)}
	for i := range again {
		again[i].Checksum, again[i].Stamp = 77, "2014-09-09T09:05:59.654"
	}
	mustSave(t, s, lease, Progress{Entries: again})
	want := map[int64]Entry{1: again[0], 2: dirty(2, 2), 3: live(3, 3), 4: dirty(4, 4), 5: deleted(5, 5)}
	if diff := cmp.Diff(want, entries(t, s, entity, 1, 2, 3, 4, 5)); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}
