package capture

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/checkpoint"
	"odastream/schema"
)

// fixedChecksum is a ledger with the same checksum of each range: that of the given
// rows.
type fixedChecksum struct {
	ledger
	rows []rowVersion
}

func (s fixedChecksum) RangeChecksums(_ context.Context, _ string, ranges []schema.IDRange) ([]checkpoint.RangeChecksum, error) {
	checksums := make([]checkpoint.RangeChecksum, len(ranges))
	for i := range checksums {
		for _, r := range s.rows {
			checksums[i].Add(r.checksum)
		}
	}
	return checksums, nil
}

// byScan returns a row that a scan read.
func byScan(id int64, checksum schema.Checksum) rowVersion {
	r := rowVersion{scanned: true}
	r.ID, r.checksum = id, checksum
	return r
}

// byTail returns a row that the tail read.
func byTail(id int64, checksum schema.Checksum) rowVersion {
	r := byScan(id, checksum)
	r.scanned = false
	return r
}

func TestARangeIsSkippedOnlyIfItsChecksumIsEqual(t *testing.T) {
	t.Parallel()
	ids := schema.IDRange{Low: 10, High: 20}
	known := []rowVersion{byScan(11, 0xa), byScan(20, 0xb)}
	for claim, c := range map[string]struct {
		rows    []rowVersion
		unsaved int64
		first   bool // the first load is under way
		differs bool
		left    []int64
	}{
		"the same rows":                        {rows: known},
		"the same rows in another order":       {rows: []rowVersion{known[1], known[0]}},
		"another checksum":                     {rows: []rowVersion{known[0], byScan(20, 0xc)}, differs: true, left: []int64{11, 20}},
		"one row less":                         {rows: known[:1], differs: true, left: []int64{11}},
		"no row":                               {differs: true},
		"one row more":                         {rows: append(known[:2:2], byScan(15, 0xc)), differs: true, left: []int64{11, 20, 15}},
		"a row that only the tail saw":         {rows: []rowVersion{known[0], byTail(20, 0xb)}, differs: true, left: []int64{11, 20}},
		"one more that only the tail saw":      {rows: append(known[:2:2], byTail(15, 0xc)), left: []int64{15}},
		"rows of the tail outside the range":   {rows: append(known[:2:2], byTail(10, 0xc), byTail(21, 0xc)), left: []int64{10, 21}},
		"a row of it is not saved yet":         {rows: known, unsaved: 11, differs: true, left: []int64{11, 20}},
		"a row that is not saved is elsewhere": {rows: known, unsaved: 21},
		"nothing was ever loaded":              {rows: known, first: true, differs: true, left: []int64{11, 20}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			compare := &comparer{ledger: fixedChecksum{rows: known}, loaded: new(atomic.Bool)}
			compare.loaded.Store(!c.first)
			unsaved := [][]checkpoint.Entry{{{ID: c.unsaved}}}
			ranges, rows, err := compare.differing(t.Context(), []schema.IDRange{ids}, append([]rowVersion(nil), c.rows...), unsaved)
			if err != nil || (len(ranges) == 1) != c.differs {
				t.Errorf("differing = ranges %v, error %v; want the range to differ: %t", ranges, err, c.differs)
			}
			var left []int64
			for _, r := range rows {
				left = append(left, r.ID)
			}
			if diff := cmp.Diff(c.left, left); diff != "" {
				t.Errorf("rows left to compare (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIndexOf(t *testing.T) {
	t.Parallel()
	ranges := []schema.IDRange{{Low: -1, High: 0}, {Low: 10, High: 20}, {Low: 20, High: schema.NoEnd}}
	for id, want := range map[int64]int{-1: -1, 0: 0, 1: -1, 10: -1, 11: 1, 20: 1, 21: 2, schema.NoEnd: 2} {
		if got := indexOf(ranges, id); got != want {
			t.Errorf("indexOf(%d) = %d, want %d", id, got, want)
		}
	}
}
