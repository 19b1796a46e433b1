package capture

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/checkpoint"
	"odastream/schema"
)

// summedUp is a ledger with the same digest in each window: that of the given rows.
type summedUp struct {
	store
	rows []latest
}

func (s summedUp) Digests(_ context.Context, _ string, windows []schema.IDRange) ([]checkpoint.Digest, error) {
	digests := make([]checkpoint.Digest, len(windows))
	for i := range digests {
		for _, r := range s.rows {
			digests[i].Add(r.spelling)
		}
	}
	return digests, nil
}

// shown is a row with one of the ids of a window, on a scan's page.
func shown(id int64, spelling schema.Spelling) latest {
	r := latest{scanned: true}
	r.ID, r.spelling = id, spelling
	return r
}

// byTail is such a row, on one of the tail's.
func byTail(id int64, spelling schema.Spelling) latest {
	r := shown(id, spelling)
	r.scanned = false
	return r
}

func TestAWindowIsPassedOverOnlyIfItsDigestProvesItTheSame(t *testing.T) {
	t.Parallel()
	window := schema.IDRange{Low: 10, High: 20}
	known := []latest{shown(11, 0xa), shown(20, 0xb)}
	for claim, c := range map[string]struct {
		rows    []latest
		unsaved int64
		first   bool // the first load is under way
		differs bool
		left    []int64
	}{
		"the same":                             {rows: known},
		"the same in another order":            {rows: []latest{known[1], known[0]}},
		"spelled otherwise":                    {rows: []latest{known[0], shown(20, 0xc)}, differs: true, left: []int64{11, 20}},
		"a row less":                           {rows: known[:1], differs: true, left: []int64{11}},
		"no row":                               {differs: true},
		"a row more":                           {rows: append(known[:2:2], shown(15, 0xc)), differs: true, left: []int64{11, 20, 15}},
		"a row that only the tail saw":         {rows: []latest{known[0], byTail(20, 0xb)}, differs: true, left: []int64{11, 20}},
		"one more that only the tail saw":      {rows: append(known[:2:2], byTail(15, 0xc)), left: []int64{15}},
		"rows of the tail outside the window":  {rows: append(known[:2:2], byTail(10, 0xc), byTail(21, 0xc)), left: []int64{10, 21}},
		"a row of it is not saved yet":         {rows: known, unsaved: 11, differs: true, left: []int64{11, 20}},
		"a row that is not saved is elsewhere": {rows: known, unsaved: 21},
		"nothing was ever loaded":              {rows: known, first: true, differs: true, left: []int64{11, 20}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := &session{Poller: &Poller{store: summedUp{rows: known}}}
			s.loaded.Store(!c.first)
			unsaved := [][]checkpoint.Entry{{{ID: c.unsaved}}}
			windows, rows, err := (&writer{session: s}).differing(t.Context(), []schema.IDRange{window}, append([]latest(nil), c.rows...), unsaved)
			if err != nil || (len(windows) == 1) != c.differs {
				t.Errorf("differing gives windows %v, error %v; want the window to differ: %t", windows, err, c.differs)
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

func TestWindowOf(t *testing.T) {
	t.Parallel()
	windows := []schema.IDRange{{Low: -1, High: 0}, {Low: 10, High: 20}, {Low: 20, High: schema.NoEnd}}
	for id, want := range map[int64]int{-1: -1, 0: 0, 1: -1, 10: -1, 11: 1, 20: 1, 21: 2, schema.NoEnd: 2} {
		if got := windowOf(windows, id); got != want {
			t.Errorf("windowOf(%d) = %d, want %d", id, got, want)
		}
	}
}
